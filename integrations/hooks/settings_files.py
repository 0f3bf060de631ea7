"""Settings files of coding agents: what is written into them, and how it is taken out again."""

import base64
import difflib
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from foxing.memory.errors import MemoryFault
from foxing.renderer.errors import ProblemKind
from foxing.renderer.private_files import FILE_MODE, make_folder, opener, write

from . import json_text
from .tools import CLAUDE_CODE, CODEX, CURSOR, Tool

PROGRAM = "foxing-hook"
SERVER = "foxing"
#: Seconds after which a tool ends a hook; the hook itself gives way far earlier. Codex allows no more at some events.
TIMEOUT_S = 3
_BOM = "\ufeff"


class SettingsRefused(MemoryFault):
    """A settings file cannot be edited; it is left as it is."""

    kind = ProblemKind("settings-refused", 422, "The settings file cannot be edited")


@dataclass(frozen=True)
class Scope:
    """Place of settings: those of the user, or of a project."""

    #: root of the project; None for the user
    root: Path | None

    def hooks_file(self, tool: Tool) -> Path:
        """Returns the file with the hooks of a tool."""
        folder = tool.folder() if self.root is None else self.root / tool.home
        return folder / ("settings.json" if tool is CLAUDE_CODE else "hooks.json")

    def servers_file(self, tool: Tool) -> Path:
        """Returns the file with the MCP servers of a tool."""
        if tool is CLAUDE_CODE and self.root is not None:
            return self.root / ".mcp.json"
        if tool is CLAUDE_CODE:
            named = os.environ.get(tool.home_variable)
            return (Path(named).expanduser() if named else Path.home()) / ".claude.json"
        folder = tool.folder() if self.root is None else self.root / tool.home
        return folder / ("config.toml" if tool is CODEX else "mcp.json")


@dataclass(frozen=True)
class Executables:
    """Programs that the settings start, with their options."""

    #: `foxing-hook` and `foxing`, as paths or as names on the PATH
    hook: str
    foxing: str
    #: a bank for all projects; None for that of the project
    bank: str | None = None
    #: path of the database; None for the default
    database: str | None = field(default=None, repr=False)

    def of_project(self) -> "Executables":
        """Returns the programs as a file names them that a team shares: found on the PATH of whoever works on the
        project, with a database in the home of whoever does."""
        database = self.database
        if database is not None:
            home = Path.home()
            if not Path(database).is_relative_to(home):
                raise SettingsRefused(
                    f"the settings of a project would name {database}, which is a path of this machine; install with "
                    "--user, or use a database in your home folder"
                )
            database = f"~/{Path(database).relative_to(home).as_posix()}"
        return Executables(PROGRAM, SERVER, self.bank, database)

    def hook_command(self, tool: Tool, event: str) -> str:
        """Returns the command line of a hook."""
        words = [self.hook, tool.name, event]
        if self.bank is not None:
            words += ["--bank", self.bank]
        if self.database is not None:
            words += ["--database", self.database]
        if os.name == "nt":
            return " ".join(f'"{word}"' if " " in word else word for word in words)
        return shlex.join(words)

    def server(self, tool: Tool) -> dict[str, Any]:
        """Returns the MCP server as the settings of a tool have it."""
        database = [] if self.database is None else ["--database", self.database]
        bank = ["--project"] if self.bank is None else ["--bank", self.bank]
        server: dict[str, Any] = {"command": self.foxing, "args": [*database, "mcp", *bank]}
        return {"type": "stdio", **server} if tool is CLAUDE_CODE else server


@dataclass(frozen=True)
class FileChange:
    """FileChange of a file; None stands for a file that does not exist."""

    path: Path
    before: bytes | None
    after: bytes | None

    def __bool__(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        """Returns the change as a unified diff."""
        before, after = (
            [] if data is None else data.decode("utf-8", "replace").splitlines(keepends=True)
            for data in (self.before, self.after)
        )
        lines = difflib.unified_diff(before, after, str(self.path), str(self.path))
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def write(self) -> None:
        """Writes the file at once, with the rights that it had; behind a link, the file that it leads to. Raises
        `SettingsRefused` if it has changed since it was read."""
        path = self.path.resolve()
        if contents_of(path) != self.before:
            raise SettingsRefused(f"{path} has changed meanwhile; run the command again")
        if self.after is None:
            path.unlink()
            with suppress(OSError):  # it holds other files
                path.parent.rmdir()
            return
        make_folder(path.parent)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        mode = path.stat().st_mode & 0o777 if self.before is not None else FILE_MODE
        try:
            with open(partial, "xb", opener=opener) as file:
                file.write(self.after)
            partial.chmod(mode)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


class Undo:
    """Notes of what was written, so that files can be given back as they were."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, change: FileChange) -> None:
        """Notes a change: what stood in the place of what was written, and what the file is now."""
        notes = self._notes()
        before, after = change.before or b"", change.after or b""
        start = _shared(before, after)
        end = _shared(before[start:][::-1], after[start:][::-1])
        notes[str(change.path)] = {
            "after": _digest(after),
            "existed": change.before is not None,
            "start": start,
            "stop": len(after) - end,
            "replaced": base64.b64encode(before[start : len(before) - end]).decode(),
        }
        self._write(notes)

    def before(self, path: Path, now: bytes | None) -> tuple[bool, bytes | None]:
        """Returns whether a file is as it was written, and what it was before then."""
        noted = self._notes().get(str(path))
        if noted is None or now is None or noted["after"] != _digest(now):
            return False, None
        if not noted["existed"]:
            return True, None
        return True, now[: noted["start"]] + base64.b64decode(noted["replaced"]) + now[noted["stop"] :]

    def forget(self, path: Path) -> None:
        """Removes the note of a file."""
        notes = self._notes()
        if notes.pop(str(path), None) is not None:
            self._write(notes)

    def _notes(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, notes: Mapping[str, Any]) -> None:
        make_folder(self.path.parent)
        write(self.path, json.dumps(notes).encode())


def installation(
    tool: Tool, scope: Scope, programs: Executables, undo: Undo, *, server: bool = True
) -> list[FileChange]:
    """Returns the changes that install the hooks and the MCP server of a tool. What an earlier installation wrote is
    replaced. Raises `SettingsRefused`."""
    if scope.root is not None:
        programs = programs.of_project()

    def with_hooks(text: str) -> str:
        if tool is CURSOR and "version" not in json_text.parse(text or "{}").value:
            text = json_text.with_member(text or "{}\n", [], "version", 1)
        for event in tool.events:
            command = programs.hook_command(tool, event)
            item = (
                {"command": command}
                if tool is CURSOR
                else {"hooks": [{"type": "command", "command": command, "timeout": TIMEOUT_S}]}
            )
            text = json_text.with_item(text or "{}\n", ["hooks", event], item)
        return text

    def with_server(text: str) -> str:
        if tool is CODEX:
            return _toml_with_server(text, programs.server(tool))
        parsed = json_text.parse(text or "{}").value
        if isinstance(parsed, dict) and SERVER in (parsed.get("mcpServers") or {}):
            raise SettingsRefused(f"it has another MCP server called '{SERVER}'; rename or remove that one")
        return json_text.with_member(text or "{}\n", ["mcpServers"], SERVER, programs.server(tool))

    changes = [_change(scope.hooks_file(tool), undo, with_hooks, tool)]
    if server:
        changes.append(_change(scope.servers_file(tool), undo, with_server, tool))
    return changes


def removal(tool: Tool, scope: Scope, undo: Undo) -> list[FileChange]:
    """Returns the changes that take out what an installation wrote: the bytes before it, if nothing else has changed
    the files. Raises `SettingsRefused`."""
    return [_change(path, undo, None, tool) for path in (scope.hooks_file(tool), scope.servers_file(tool))]


def contents_of(path: Path) -> bytes | None:
    """Returns the contents of a file; None if it does not exist. Raises `SettingsRefused` if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsRefused(f"{path} cannot be read: {error.strerror}") from error


def installed_events(tool: Tool, scope: Scope) -> dict[str, str]:
    """Returns event → command of our hooks in the settings of a tool. Raises `SettingsRefused`."""
    path = scope.hooks_file(tool)
    text = _text(path)
    try:
        return {} if not text else {event: command for event, _, _, command in _own_hooks(text)}
    except ValueError as error:
        raise SettingsRefused(f"{path} is not JSON: {error}; correct it") from error


def installed_server(tool: Tool, scope: Scope) -> dict[str, Any] | None:
    """Returns our MCP server in the settings of a tool; None if it is not there. Raises `SettingsRefused`."""
    path = scope.servers_file(tool)
    text = _text(path)
    if not text:
        return None
    try:
        if tool is CODEX:
            found = tomlkit.parse(text).unwrap().get("mcp_servers", {}).get(SERVER)
        else:
            found = (json_text.parse(text).value.get("mcpServers") or {}).get(SERVER)
    except (ValueError, AttributeError, TOMLKitError) as error:
        raise SettingsRefused(f"{path}: {error}") from error
    return found if _is_own_server(found) else None


def find_executables(bank: str | None, database: str | None) -> Executables:
    """Returns the programs of this installation."""
    folder = Path(sys.executable).parent
    suffix = ".exe" if os.name == "nt" else ""
    return Executables(str(folder / f"{PROGRAM}{suffix}"), str(folder / f"foxing{suffix}"), bank, database)


def _change(path: Path, undo: Undo, edit: Callable[[str], str] | None, tool: Tool) -> FileChange:
    """Returns the change of a file by `edit`, which is given it without what was installed; None to end there."""
    now = contents_of(path)
    as_written, base = undo.before(path, now)
    try:
        if not as_written:
            base = None if now is None else _encoded(now, _without_own(path, now, tool))
        if edit is None:
            return FileChange(path, now, base)
        text = "" if base is None else _decoded(base)
        after = edit(text if text.strip() else "")
        return FileChange(path, now, _encoded(base or b"", after))
    except (UnicodeDecodeError, ValueError, TOMLKitError) as error:
        raise SettingsRefused(f"{path} cannot be edited: {error}; correct it, or edit it by hand") from error
    except SettingsRefused as error:
        raise SettingsRefused(f"{path}: {error}") from error


def _without_own(path: Path, data: bytes, tool: Tool) -> str:
    """Returns the text of a file without our hooks and our server, and without the lists that this empties."""
    text = _decoded(data)
    if path.suffix == ".toml":
        return _toml_without_server(text)
    if not text.strip():
        return text
    while own := next(iter(_own_hooks(text)), None):
        event, number, inner, _ = own
        group = json_text.parse(text).value["hooks"][event][number]
        whole = inner is None or len(group["hooks"]) == 1
        taken: list[str | int] = ["hooks", event, number] if whole else ["hooks", event, number, "hooks", inner or 0]
        text = json_text.without(text, taken)
        left = json_text.parse(text).value["hooks"]
        if not left[event]:
            text = json_text.without(text, ["hooks", event] if len(left) > 1 else ["hooks"])
    parsed = json_text.parse(text).value
    servers = parsed.get("mcpServers") if isinstance(parsed, dict) else None
    if isinstance(servers, dict) and _is_own_server(servers.get(SERVER)):
        text = json_text.without(text, ["mcpServers", SERVER] if len(servers) > 1 else ["mcpServers"])
    return text


def _own_hooks(text: str) -> list[tuple[str, int, int | None, str]]:
    """Returns event, number of the group, number in the group (None where groups are hooks), and command of our hooks.
    Raises `ValueError` for what is not JSON."""
    document = json_text.parse(text).value
    hooks = document.get("hooks") if isinstance(document, dict) else None
    found: list[tuple[str, int, int | None, str]] = []
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        for number, group in enumerate(groups if isinstance(groups, list) else ()):
            if not isinstance(group, dict):
                continue
            if _is_own_command(group.get("command")):
                found.append((event, number, None, group["command"]))
            inner = group.get("hooks")
            for place, hook in enumerate(inner if isinstance(inner, list) else ()):
                if isinstance(hook, dict) and _is_own_command(hook.get("command")):
                    found.append((event, number, place, hook["command"]))
    return found


def _is_own_command(command: object) -> bool:
    if not isinstance(command, str):
        return False
    first = command.replace("\\", "/").split(f"{PROGRAM}")
    return len(first) > 1 and (first[0] == "" or first[0][-1] in "/\"'") and first[1].lstrip(".ex\"'").startswith(" ")


def _is_own_server(server: object) -> bool:
    if not isinstance(server, Mapping):
        return False
    command, args = server.get("command"), server.get("args")
    name = str(command).replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".exe")
    return name == "foxing" and isinstance(args, list) and "mcp" in args


def _toml_with_server(text: str, server: Mapping[str, Any]) -> str:
    document = tomlkit.parse(text)
    if SERVER in document.get("mcp_servers", {}):
        raise SettingsRefused(f"it has another MCP server called '{SERVER}'; rename or remove that one")
    if "mcp_servers" not in document:
        # as text, so that everything before it keeps its bytes
        line = "\r\n" if "\r\n" in text else "\n"
        table = tomlkit.dumps({"mcp_servers": {SERVER: dict(server)}}).replace("[mcp_servers]\n", "")
        gap = "" if not text else line if text.endswith("\n") else line * 2
        return text + gap + table.replace("\n", line)
    document["mcp_servers"][SERVER] = dict(server)
    written = tomlkit.dumps(document)
    return written.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else written


def _toml_without_server(text: str) -> str:
    document = tomlkit.parse(text)
    servers = document.get("mcp_servers", {})
    if not _is_own_server(servers.get(SERVER)):
        return text
    servers.remove(SERVER)
    if not servers:
        document.remove("mcp_servers")
    return tomlkit.dumps(document)


def _text(path: Path) -> str:
    data = contents_of(path)
    try:
        return "" if data is None else _decoded(data)
    except UnicodeDecodeError as error:
        raise SettingsRefused(f"{path} is not UTF-8") from error


def _decoded(data: bytes) -> str:
    return data.decode().removeprefix(_BOM)


def _encoded(original: bytes, text: str) -> bytes:
    mark = _BOM if original.startswith(_BOM.encode()) else ""
    return (mark + text).encode()


def _shared(one: bytes, other: bytes) -> int:
    """Returns the number of bytes with which both begin."""
    least = min(len(one), len(other))
    return next((place for place in range(least) if one[place] != other[place]), least)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
