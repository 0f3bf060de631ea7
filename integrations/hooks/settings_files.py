"""Settings files of coding agents: what is written into them, and how it is taken out again."""

import base64
import difflib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tomlkit.exceptions import TOMLKitError

from foxing.renderer.private_files import FILE_MODE, make_folder, opener, write

from .errors import SettingsRefused
from .hosts import PROGRAM, Host
from .settings_forms import (
    HOOKS_FORMS,
    SERVER,
    SERVER_FORMS,
    is_own_server,
    servers_of,
    with_server,
    without_server,
)

_BOM = "\ufeff"


@dataclass(frozen=True)
class Scope:
    """Place of settings: those of the user, or of a project."""

    #: root of the project; None for the user
    root: Path | None

    def hooks_file(self, host: Host) -> Path:
        """Returns the file with the hooks of a host."""
        return Path(host.path(host.hooks, None if self.root is None else str(self.root)))

    def servers_file(self, host: Host) -> Path:
        """Returns the file with the MCP servers of a host."""
        return Path(host.path(host.servers, None if self.root is None else str(self.root)))


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
    #: further banks from which prompts are answered
    banks: tuple[str, ...] = ()
    #: words before `hook` that start it sooner than its own first line would
    launch: tuple[str, ...] = ()

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
        return Executables(PROGRAM, SERVER, self.bank, database, self.banks)

    def hook_command(self, host: Host, event: str) -> str:
        """Returns the command line of a hook."""
        words = [*self.launch, self.hook, host.name, event]
        if self.bank is not None:
            words += ["--bank", self.bank]
        if self.banks:
            words += ["--banks", ",".join(self.banks)]
        if self.database is not None:
            words += ["--database", self.database]
        if os.name == "nt":
            return " ".join(f'"{word}"' if " " in word else word for word in words)
        return shlex.join(words)

    def server(self, host: Host) -> dict[str, Any]:
        """Returns the MCP server as the settings of a host have it."""
        database = [] if self.database is None else ["--database", self.database]
        bank = ["--project"] if self.bank is None else ["--bank", self.bank]
        return SERVER_FORMS[host.server_form]([self.foxing, *database, "mcp", *bank])


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
            notes = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}

    def _write(self, notes: Mapping[str, Any]) -> None:
        make_folder(self.path.parent)
        write(self.path, json.dumps(notes).encode())


def installation(host: Host, scope: Scope, programs: Executables, undo: Undo) -> list[FileChange]:
    """Returns the changes that install the hooks and the MCP server of a host. What an earlier installation wrote is
    replaced. Raises `SettingsRefused`."""
    if scope.root is not None:
        programs = programs.of_project()
    commands = {event: programs.hook_command(host, event) for event in host.events}
    edits: dict[Path, list[Callable[[str], str]]] = {
        scope.hooks_file(host): [lambda text: HOOKS_FORMS[host.hooks_form].add(text, host, commands)]
    }
    edits.setdefault(scope.servers_file(host), []).append(lambda text: with_server(text, host, programs.server(host)))
    return [_change(path, undo, of_file, host, scope) for path, of_file in edits.items()]


def removal(host: Host, scope: Scope, undo: Undo) -> list[FileChange]:
    """Returns the changes that take out what an installation wrote: the bytes before it, if nothing else has changed
    the files. Raises `SettingsRefused`."""
    paths = dict.fromkeys((scope.hooks_file(host), scope.servers_file(host)))
    return [_change(path, undo, None, host, scope) for path in paths]


def contents_of(path: Path) -> bytes | None:
    """Returns the contents of a file; None if it does not exist. Raises `SettingsRefused` if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsRefused(f"{path} cannot be read: {error.strerror}") from error


def installed_events(host: Host, scope: Scope) -> dict[str, str]:
    """Returns event → command of our hooks in the settings of a host. Raises `SettingsRefused`."""
    path = scope.hooks_file(host)
    text = text_of(path)
    try:
        return HOOKS_FORMS[host.hooks_form].own(text) if text else {}
    except ValueError as error:
        raise SettingsRefused(f"{path} is not JSON: {error}; correct it") from error


def installed_server(host: Host, scope: Scope) -> dict[str, Any] | None:
    """Returns our MCP server in the settings of a host; None if it is not there. Raises `SettingsRefused`."""
    path = scope.servers_file(host)
    try:
        server = servers_of(text_of(path), host).get(SERVER)
    except (ValueError, TOMLKitError) as error:
        raise SettingsRefused(f"{path}: {error}") from error
    return server if is_own_server(server) else None


def find_executables(bank: str | None, database: str | None, banks: Sequence[str] = ()) -> Executables:
    """Returns the programs of this installation. A hook is started without `site`, and where Linux has `setsid`, in a
    session of its own from the beginning: beside a build, its start alone would take longer than a prompt may wait."""
    foxing = Path(sys.executable).with_name("foxing.exe" if os.name == "nt" else "foxing")
    setsid = shutil.which("setsid") if sys.platform == "linux" else None
    with_wait = () if setsid is None else (setsid, "-w")
    if with_wait and subprocess.run([*with_wait, "true"], capture_output=True).returncode:
        with_wait = ()  # that of BusyBox does not wait
    hook = Path(__file__).with_name(PROGRAM)
    launch = (*with_wait, sys.executable, "-IS")
    return Executables(str(hook), str(foxing), bank, database, tuple(banks), launch)


def _change(
    path: Path, undo: Undo, edits: Sequence[Callable[[str], str]] | None, host: Host, scope: Scope
) -> FileChange:
    """Returns the change of a file by `edits`, which are given it without what was installed; None to end there."""
    now = contents_of(path)
    as_written, base = undo.before(path, now)
    try:
        if not as_written:
            base = None if now is None else _encoded(now, _without_own(path, now, host, scope))
            if not base and HOOKS_FORMS[host.hooks_form].whole and path == scope.hooks_file(host):
                base = None
        if edits is None:
            return FileChange(path, now, base)
        text = "" if base is None else _decoded(base)
        text = text if text.strip() else ""
        for edit in edits:
            text = edit(text)
        return FileChange(path, now, _encoded(base or b"", text))
    except (UnicodeDecodeError, ValueError, TOMLKitError) as error:
        raise SettingsRefused(f"{path} cannot be edited: {error}; correct it, or edit it by hand") from error
    except SettingsRefused as error:
        raise SettingsRefused(f"{path}: {error}") from error


def _without_own(path: Path, data: bytes, host: Host, scope: Scope) -> str:
    """Returns the text of a file without our hooks and our server."""
    text = _decoded(data)
    if path == scope.hooks_file(host) and text.strip():
        text = HOOKS_FORMS[host.hooks_form].remove(text)
    if path == scope.servers_file(host) and text.strip():
        text = without_server(text, host)
    return text


def text_of(path: Path) -> str:
    """Returns the text of a file; empty if it does not exist. Raises `SettingsRefused`."""
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
    length = min(len(one), len(other))
    return next((place for place in range(length) if one[place] != other[place]), length)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
