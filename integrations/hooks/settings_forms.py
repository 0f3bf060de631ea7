"""Forms of settings: how hooks and MCP servers stand in the files of hosts, and which of them are ours."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from . import json_text
from .errors import SettingsRefused
from .hosts import PROGRAM, Host

SERVER = "foxing"
#: The plug-in of a host whose hooks are a program in its own language, and the line of it that is filled in.
PLUGIN = Path(__file__).with_name("opencode_plugin.js")
_COMMANDS = re.compile(r"^const COMMANDS = (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True)
class HooksForm:
    """Form of hooks in a file."""

    #: (text without ours, host, event → command) → text with them
    add: Callable[[str, Host, Mapping[str, str]], str]
    #: text → text without ours
    remove: Callable[[str], str]
    #: text → event → command of ours. Raises `ValueError` for another file
    own: Callable[[str], dict[str, str]]
    #: whether the file is ours alone, and goes with the hooks
    whole: bool = False


def _grouped(host: Host, command: str) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": command, "timeout": host.timeout}]}


def _add_groups(text: str, host: Host, commands: Mapping[str, str]) -> str:
    for event, command in commands.items():
        text = json_text.with_item(text or "{}\n", ["hooks", event], _grouped(host, command))
    return text


def _add_commands(text: str, host: Host, commands: Mapping[str, str]) -> str:
    if "version" not in json_text.parse(text or "{}").value:
        text = json_text.with_member(text or "{}\n", [], "version", 1)
    for event, command in commands.items():
        text = json_text.with_item(text, ["hooks", event], {"command": command})
    return text


def _remove_hooks(text: str) -> str:
    """Returns a text without our hooks, and without the lists that this empties."""
    while own := next(iter(_own_hooks(text)), None):
        event, number, inner, _ = own
        group = json_text.parse(text).value["hooks"][event][number]
        whole = inner is None or len(group["hooks"]) == 1
        place: list[str | int] = ["hooks", event, number] if whole else ["hooks", event, number, "hooks", inner or 0]
        text = json_text.without(text, place)
        hooks = json_text.parse(text).value["hooks"]
        if not hooks[event]:
            text = json_text.without(text, ["hooks", event] if len(hooks) > 1 else ["hooks"])
    return text


def _own_hooks(text: str) -> list[tuple[str, int, int | None, str]]:
    """Returns event, number of the group, number in the group (None where groups are hooks), and command of our hooks.
    Raises `ValueError` for what is not JSON."""
    document = json_text.parse(text).value
    hooks = document.get("hooks") if isinstance(document, dict) else None
    own: list[tuple[str, int, int | None, str]] = []
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        for number, group in enumerate(groups if isinstance(groups, list) else ()):
            if not isinstance(group, dict):
                continue
            if _is_own_command(group.get("command")):
                own.append((event, number, None, group["command"]))
            inner = group.get("hooks")
            for place, hook in enumerate(inner if isinstance(inner, list) else ()):
                if isinstance(hook, dict) and _is_own_command(hook.get("command")):
                    own.append((event, number, place, hook["command"]))
    return own


def _is_own_command(command: object) -> bool:
    if not isinstance(command, str):
        return False
    first = command.replace("\\", "/").split(f"{PROGRAM}")
    return len(first) > 1 and (first[0] == "" or first[0][-1] in "/\"'") and first[1].lstrip(".ex\"'").startswith(" ")


def own_places(text: str) -> dict[str, tuple[int, int]]:
    """Returns event → number of the group and number in it of each of our hooks."""
    return {event: (number, inner or 0) for event, number, inner, _ in _own_hooks(text)}


def _add_plugin(text: str, host: Host, commands: Mapping[str, str]) -> str:
    if text.strip():
        raise SettingsRefused("it is another plug-in; rename or remove that one")
    line = f"const COMMANDS = {json.dumps(commands, ensure_ascii=False)}"
    return _COMMANDS.sub(lambda _: line, PLUGIN.read_text(encoding="utf-8"), count=1)


def _own_plugin(text: str) -> dict[str, str]:
    line = _COMMANDS.search(text)
    try:
        commands = json.loads(line[1]) if line else {}
    except ValueError:
        return {}
    return {event: command for event, command in commands.items() if _is_own_command(command)}


_JSON_OWN: Callable[[str], dict[str, str]] = lambda text: {event: line for event, _, _, line in _own_hooks(text)}  # noqa: E731
#: Forms of hooks by their name in a row.
HOOKS_FORMS: Mapping[str, HooksForm] = {
    "groups": HooksForm(_add_groups, _remove_hooks, _JSON_OWN),
    "commands": HooksForm(_add_commands, _remove_hooks, _JSON_OWN),
    "plugin": HooksForm(_add_plugin, lambda text: "" if _own_plugin(text) else text, _own_plugin, True),
}

#: How an MCP server stands in settings, from its words: by its name in a row.
SERVER_FORMS: Mapping[str, Callable[[list[str]], dict[str, Any]]] = {
    "command": lambda words: {"command": words[0], "args": words[1:]},
    "typed": lambda words: {"type": "stdio", "command": words[0], "args": words[1:]},
    "local": lambda words: {"type": "local", "command": words, "enabled": True},
}


def server_words(server: object) -> list[str]:
    """Returns the command of an MCP server in settings, of any form; empty if it has none."""
    command = server.get("command") if isinstance(server, Mapping) else None
    args = server.get("args") if isinstance(server, Mapping) else None
    words = command if isinstance(command, list) else [command, *(args if isinstance(args, list) else ())]
    return [word for word in words if isinstance(word, str)]


def is_own_server(server: object) -> bool:
    """Returns whether an MCP server is ours."""
    words = server_words(server)
    name = words[0].replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".exe") if words else ""
    return name == SERVER and "mcp" in words[1:]


def servers_of(text: str, host: Host) -> dict[str, Any]:
    """Returns the MCP servers in a text. Raises `ValueError` for another kind of file."""
    is_toml = host.servers[0].endswith(".toml")
    document = tomlkit.parse(text).unwrap() if is_toml else json_text.parse(text or "{}").value
    if not isinstance(document, dict):
        raise ValueError("it is not an object")
    servers = document.get(host.servers_in)
    return servers if isinstance(servers, dict) else {}


def with_server(text: str, host: Host, server: Mapping[str, Any]) -> str:
    """Returns a text with our MCP server. Raises `SettingsRefused` if another one has its name."""
    if SERVER in servers_of(text, host):
        raise SettingsRefused(f"it has another MCP server called '{SERVER}'; rename or remove that one")
    if host.servers[0].endswith(".toml"):
        return _toml_with_server(text, host.servers_in, server)
    return json_text.with_member(text or "{}\n", [host.servers_in], SERVER, server)


def without_server(text: str, host: Host) -> str:
    """Returns a text without our MCP server, and without the list that this empties."""
    servers = servers_of(text, host)
    if not is_own_server(servers.get(SERVER)):
        return text
    if host.servers[0].endswith(".toml"):
        return _toml_without_server(text, host.servers_in)
    return json_text.without(text, [host.servers_in, SERVER] if len(servers) > 1 else [host.servers_in])


def _toml_with_server(text: str, table: str, server: Mapping[str, Any]) -> str:
    document = tomlkit.parse(text)
    if table not in document:
        # as text, so that everything before it keeps its bytes
        line = "\r\n" if "\r\n" in text else "\n"
        added = tomlkit.dumps({table: {SERVER: dict(server)}}).replace(f"[{table}]\n", "")
        gap = "" if not text else line if text.endswith("\n") else line * 2
        return text + gap + added.replace("\n", line)
    document[table][SERVER] = dict(server)
    written = tomlkit.dumps(document)
    return written.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else written


def _toml_without_server(text: str, table: str) -> str:
    document = tomlkit.parse(text)
    servers = document[table]
    servers.remove(SERVER)
    if not servers:
        document.remove(table)
    return tomlkit.dumps(document)
