"""Installing into the settings that people have, and taking it out again."""

import json
from pathlib import Path

import pytest
import tomlkit

from foxing.integrations.hooks import json_text
from foxing.integrations.hooks.client import _options
from foxing.integrations.hooks.errors import SettingsRefused
from foxing.integrations.hooks.hosts import HOSTS, Host
from foxing.integrations.hooks.settings_files import (
    Executables,
    Scope,
    Undo,
    installation,
    installed_events,
    installed_server,
    removal,
)
from foxing.integrations.hooks.trust import untrusted_events

CLAUDE_CODE, CODEX, CURSOR = HOSTS["claude-code"], HOSTS["codex"], HOSTS["cursor"]
OPENCODE, GEMINI = HOSTS["opencode"], HOSTS["gemini-cli"]
EXECUTABLES = Executables("/opt/foxing/bin/foxing-hook", "/opt/foxing/bin/foxing")
OTHER_HOOK = '{"hooks": [{"type": "command", "command": "notify-send done"}]}'

#: name → tool, whether the file is the one with hooks, contents; None for no file
FILES: dict[str, tuple[Host, bool, bytes | None]] = {
    "none": (CLAUDE_CODE, True, None),
    "empty": (CLAUDE_CODE, True, b""),
    "empty object": (CLAUDE_CODE, True, b"{}"),
    "other hooks": (
        CLAUDE_CODE,
        True,
        f'{{\n  "model": "opus",\n  "hooks": {{\n    "Stop": [\n      {OTHER_HOOK}\n    ]\n  }}\n}}\n'.encode(),
    ),
    "tabs, CRLF, comments, trailing commas": (
        CLAUDE_CODE,
        True,
        b'// mine\r\n{\r\n\t"permissions": {\r\n\t\t"allow": ["Bash(git *)",], // git\r\n\t},\r\n\t/* end */\r\n}\r\n',
    ),
    "no line break at the end": (CLAUDE_CODE, True, b'{\n    "env": {\n        "A": "1"\n    }\n}'),
    "one line": (
        CLAUDE_CODE,
        False,
        b'{"numStartups": 3, "mcpServers": {"git": {"command": "git-mcp"}}, "userID": "x"}',
    ),
    "byte order mark": (CURSOR, True, b'\xef\xbb\xbf{\n  "version": 1,\n  "hooks": {}\n}\n'),
    "other servers": (CURSOR, False, '{\n  "mcpServers": {\n    "búsqueda": {"url": "http://x"}\n  }\n}\n'.encode()),
    "hooks of Codex": (CODEX, True, f'{{"hooks": {{"SessionStart": [{OTHER_HOOK}]}}}}\n'.encode()),
    "TOML": (
        CODEX,
        False,
        b'# my settings\nmodel = "gpt-5.6"  # fast\n\n[mcp_servers.docs]\ncommand = "npx"\n'
        b'args = [\n  "-y", # yes\n  "docs",\n]\n\n'
        b'[profiles.deep]\nmodel_reasoning_effort = "high"\n',
    ),
    "TOML, CRLF, no line break at the end": (CODEX, False, b'approval_policy = "on-request"\r\n[tools]\r\nweb = true'),
    "no plug-in": (OPENCODE, True, None),
    "comments of OpenCode": (OPENCODE, False, b'{\n  // mine\n  "model": "a/b", /* end */\n}\n'),
    "hooks and servers in one file": (
        GEMINI,
        True,
        b'{\n  // mine\n  "mcpServers": {"git": {"command": "git-mcp"}},\n  "hooks": {"AfterAgent": ['
        + OTHER_HOOK.encode()
        + b"]}\n}\n",
    ),
    "TOML without servers of its own": (CODEX, False, b"[mcp_servers]\n\n[features]\nhooks = true\n"),
}


def place(tool: Host, with_hooks: bool, scope: Scope) -> Path:
    return scope.hooks_file(tool) if with_hooks else scope.servers_file(tool)


def put(path: Path, contents: bytes | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if contents is not None:
        path.write_bytes(contents)


@pytest.fixture
def undo(tmp_path: Path) -> Undo:
    return Undo(tmp_path / "installed.json")


def install(tool: Host, scope: Scope, undo: Undo, programs: Executables = EXECUTABLES) -> None:
    for change in installation(tool, scope, programs, undo):
        before = undo.before(change.path, change.before)
        change.write()
        undo.note(type(change)(change.path, before[1], change.after) if before[0] else change)


def remove(tool: Host, scope: Scope, undo: Undo) -> None:
    for change in removal(tool, scope, undo):
        if change:
            change.write()
            undo.forget(change.path)


@pytest.mark.parametrize("in_project", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_removing_gives_each_file_back_byte_for_byte(name: str, in_project: bool, project: Path, undo: Undo) -> None:
    tool, with_hooks, contents = FILES[name]
    scope = Scope(project if in_project else None)
    path = place(tool, with_hooks, scope)
    put(path, contents)
    install(tool, scope, undo)
    assert installed_events(tool, scope).keys() == tool.events.keys()
    assert installed_server(tool, scope) is not None
    remove(tool, scope, undo)
    assert (path.read_bytes() if path.exists() else None) == contents


@pytest.mark.parametrize("name", [name for name, (_, _, contents) in FILES.items() if contents])
def test_what_is_there_is_kept(name: str, undo: Undo) -> None:
    tool, with_hooks, contents = FILES[name]
    assert contents is not None
    path = place(tool, with_hooks, Scope(None))
    put(path, contents)
    install(tool, Scope(None), undo)
    written = path.read_bytes()
    lines = iter(written.splitlines())
    # each line is there, in order; a line may have got a comma, or more in it
    pieces = [line.rstrip().rstrip(b",").rstrip(b"]}").rstrip() for line in contents.splitlines()]
    assert all(any(piece in line for line in lines) for piece in pieces if piece) or b"\n" not in contents.strip()
    assert (b"\r\n" in written) == (b"\r\n" in contents)
    assert written.count(b"\n") == written.count(b"\r\n") or b"\r\n" not in contents
    assert written.startswith(b"\xef\xbb\xbf") == contents.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("name", [name for name, (_, _, contents) in FILES.items() if contents])
def test_what_others_changed_meanwhile_is_kept(name: str, undo: Undo) -> None:
    tool, with_hooks, contents = FILES[name]
    assert contents is not None
    path = place(tool, with_hooks, Scope(None))
    put(path, contents)
    install(tool, Scope(None), undo)
    if path.suffix == ".toml":
        path.write_bytes(path.read_bytes() + b"\n[later]\nkey = 1\n")
    else:
        mark, text = ("\ufeff", path.read_bytes().decode().removeprefix("\ufeff"))
        later = json_text.with_member(text, [], "later", {"key": 1})
        path.write_bytes(((mark if contents.startswith(mark.encode()) else "") + later).encode())
    remove(tool, Scope(None), undo)
    assert installed_events(tool, Scope(None)) == {}
    assert installed_server(tool, Scope(None)) is None
    text = path.read_bytes().decode().removeprefix("\ufeff")
    before = contents.decode().removeprefix("\ufeff")
    if path.suffix == ".toml":
        found, expected = tomlkit.parse(text).unwrap(), tomlkit.parse(before).unwrap()
    else:
        found, expected = json_text.parse(text).value, json_text.parse(before).value
    assert found.pop("later") == {"key": 1}
    for document in (found, expected):  # an empty list of the user's own may go with what was added to it
        for key in ("hooks", "mcp_servers", "mcpServers", "mcp"):
            if not document.get(key):
                document.pop(key, None)
    assert found == expected
    for comment in ("// mine", "// git", "/* end */", "# my settings", "# fast", "# yes"):
        assert (comment in text) == (comment in before)


def test_installing_again_replaces_what_was_installed(undo: Undo) -> None:
    path = Scope(None).hooks_file(CLAUDE_CODE)
    put(path, FILES["other hooks"][2])
    install(CLAUDE_CODE, Scope(None), undo)
    first = path.read_bytes()
    assert not any(installation(CLAUDE_CODE, Scope(None), EXECUTABLES, undo))
    install(
        CLAUDE_CODE, Scope(None), undo, Executables(EXECUTABLES.hook, EXECUTABLES.foxing, "main", "/data/my memory.db")
    )
    commands = installed_events(CLAUDE_CODE, Scope(None))
    assert (
        commands["Stop"] == "/opt/foxing/bin/foxing-hook claude-code Stop --bank main --database '/data/my memory.db'"
    )
    assert path.read_bytes().count(b"foxing-hook") == len(CLAUDE_CODE.events)
    install(CLAUDE_CODE, Scope(None), undo)
    assert path.read_bytes() == first
    remove(CLAUDE_CODE, Scope(None), undo)
    assert path.read_bytes() == FILES["other hooks"][2]


def test_further_banks_stand_in_the_command(undo: Undo) -> None:
    install(CLAUDE_CODE, Scope(None), undo, Executables("/x/foxing-hook", "/x/foxing", banks=("personal", "team")))
    command = installed_events(CLAUDE_CODE, Scope(None))["Stop"]
    assert command == "/x/foxing-hook claude-code Stop --banks personal,team"
    assert _options(command.split()[1:], "")[1] == ",personal,team"


def test_another_server_of_the_name_is_kept(undo: Undo) -> None:
    path = Scope(None).servers_file(CURSOR)
    contents = b'{"mcpServers": {"foxing": {"command": "docker", "args": ["run", "mine"]}}}'
    put(path, contents)
    with pytest.raises(SettingsRefused, match="another MCP server called 'foxing'"):
        installation(CURSOR, Scope(None), EXECUTABLES, undo)
    assert path.read_bytes() == contents


@pytest.mark.parametrize("contents", [b"{", b"[]", b'{"hooks": 3}', b"\xff\xfe", b'{"hooks": {"Stop": {}}}'])
def test_a_file_that_is_something_else_is_refused(contents: bytes, undo: Undo) -> None:
    path = Scope(None).hooks_file(CLAUDE_CODE)
    put(path, contents)
    with pytest.raises(SettingsRefused, match=r"settings\.json"):
        installation(CLAUDE_CODE, Scope(None), EXECUTABLES, undo)
    assert path.read_bytes() == contents


def test_a_file_that_changes_before_it_is_written_is_refused(undo: Undo) -> None:
    path = Scope(None).hooks_file(CLAUDE_CODE)
    put(path, b"{}")
    change = installation(CLAUDE_CODE, Scope(None), EXECUTABLES, undo)[0]
    path.write_bytes(b'{"a": 1}')
    with pytest.raises(SettingsRefused, match="changed meanwhile"):
        change.write()


def test_a_link_stays_a_link_and_rights_stay(tmp_path: Path, undo: Undo) -> None:
    path = Scope(None).hooks_file(CLAUDE_CODE)
    behind = tmp_path / "dotfiles.json"
    behind.write_bytes(b"{}")
    behind.chmod(0o640)
    path.parent.mkdir(parents=True)
    path.symlink_to(behind)
    install(CLAUDE_CODE, Scope(None), undo)
    assert path.is_symlink()
    assert behind.stat().st_mode & 0o777 == 0o640
    assert "foxing-hook" in behind.read_text()


def test_the_settings_are_what_the_tools_expect(undo: Undo) -> None:
    for host in HOSTS.values():
        install(host, Scope(None), undo)
    hooks = json.loads(Scope(None).hooks_file(CODEX).read_text())
    assert list(hooks) == ["hooks"]  # Codex refuses other members
    stop = {"type": "command", "command": "/opt/foxing/bin/foxing-hook codex Stop", "timeout": 3}
    assert hooks["hooks"]["Stop"] == [{"hooks": [stop]}]
    servers = tomlkit.parse(Scope(None).servers_file(CODEX).read_text()).unwrap()
    assert servers == {"mcp_servers": {"foxing": {"command": EXECUTABLES.foxing, "args": ["mcp", "--project"]}}}
    cursor = json.loads(Scope(None).hooks_file(CURSOR).read_text())
    assert cursor["version"] == 1
    assert cursor["hooks"]["stop"] == [{"command": "/opt/foxing/bin/foxing-hook cursor stop"}]
    servers = json.loads(Scope(None).servers_file(CLAUDE_CODE).read_text())
    assert servers["mcpServers"]["foxing"]["type"] == "stdio"
    gemini = json.loads(Scope(None).hooks_file(GEMINI).read_text())
    assert gemini["hooks"]["BeforeAgent"][0]["hooks"][0]["timeout"] == 3_000  # milliseconds
    assert gemini["mcpServers"]["foxing"]["args"] == ["mcp", "--project"]
    opencode = json.loads(Scope(None).servers_file(OPENCODE).read_text())
    words = [EXECUTABLES.foxing, "mcp", "--project"]
    assert opencode["mcp"]["foxing"] == {"type": "local", "command": words, "enabled": True}
    plugin = Scope(None).hooks_file(OPENCODE).read_text()
    assert '"chat.message": "/opt/foxing/bin/foxing-hook opencode chat.message"' in plugin


def test_another_plugin_of_the_name_is_kept(undo: Undo) -> None:
    path = Scope(None).hooks_file(OPENCODE)
    put(path, b"export const Other = async () => ({})\n")
    with pytest.raises(SettingsRefused, match=r"foxing\.js: it is another plug-in"):
        installation(OPENCODE, Scope(None), EXECUTABLES, undo)
    assert path.read_bytes() == b"export const Other = async () => ({})\n"
    assert not any(removal(OPENCODE, Scope(None), undo))


def test_a_plugin_goes_whole_also_without_notes_of_its_installation(undo: Undo, tmp_path: Path) -> None:
    install(OPENCODE, Scope(None), undo)
    remove(OPENCODE, Scope(None), Undo(tmp_path / "none.json"))
    assert not Scope(None).hooks_file(OPENCODE).exists()


def test_hooks_that_codex_does_not_run_are_found_by_its_own_notes(home: Path, undo: Undo) -> None:
    """The hash is what `hooks/list` of Codex 0.171 says of this command."""
    scope = Scope(None)
    install(CODEX, scope, undo, Executables("/x/foxing-hook", "/x/foxing"))
    assert untrusted_events(CODEX, scope) == list(CODEX.events)
    path, notes = scope.hooks_file(CODEX), scope.servers_file(CODEX)
    trusted = "sha256:79ef6157d05765107fe21d2a0cc3d9c3e665b57aacd2686d0717ab4df44fcf97"
    table = f'\n[hooks.state."{path}:session_start:0:0"]\ntrusted_hash = "{trusted}"\n'
    notes.write_text(notes.read_text() + table)
    assert untrusted_events(CODEX, scope) == [event for event in CODEX.events if event != "SessionStart"]
    notes.write_text(notes.read_text() + "enabled = false\n")
    assert untrusted_events(CODEX, scope) == list(CODEX.events)
    assert untrusted_events(CLAUDE_CODE, scope) == []
