"""The commands `install`, `hook` and `doctor`."""

import json
import shlex
from pathlib import Path

import pytest
from support.agent_sessions import Announce, ClaudeSession
from support.command_line import Foxing

from foxing.integrations.client import Unreachable
from foxing.integrations.hooks import client, doctor
from foxing.integrations.hooks.hosts import HOSTS
from foxing.integrations.hooks.intake import Intake
from foxing.integrations.hooks.places import ASKED, GIVEN, NOTHING, log_of, note, spool_of
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.hooks.spool import read, waiting
from foxing.integrations.outbox.file import OutboxFile, outbox_path


@pytest.fixture
def foxing(database: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> Foxing:
    """The command in a project. Services are not started."""
    Path(database).parent.mkdir(exist_ok=True)
    monkeypatch.chdir(project)
    monkeypatch.setattr(client, "start_service", lambda database: True)
    return Foxing(database)


def test_install_shows_the_change_writes_it_and_takes_it_out(foxing: Foxing, home: Path) -> None:
    shown = foxing.text("install", "claude-code", "--dry-run")
    settings, servers = home / ".claude" / "settings.json", home / ".claude.json"
    assert f"+++ {settings}" in shown
    assert shown.endswith("Nothing was written.\n")
    assert not settings.exists()
    written = foxing.json("install", "claude-code", "--yes")
    assert written["written"]
    assert [change["path"] for change in written["changes"]] == [str(settings), str(servers)]
    assert json.loads(servers.read_text())["mcpServers"]["foxing"]["args"][:2] == ["--database", foxing.database]
    assert foxing.json("install", "claude-code", "--yes") == {"tool": "claude-code", "written": False, "changes": []}
    removed = foxing.text("install", "claude-code", "--remove", "--yes")
    assert f"Restored {settings}" in removed
    assert not settings.exists()
    assert not servers.exists()


def test_install_asks(foxing: Foxing, home: Path) -> None:
    refused = foxing.run("install", "codex", stdin="n\n")
    assert "Nothing was written." in refused.output
    assert not (home / ".codex").exists()
    confirmed = foxing.run("install", "codex", stdin="y\n")
    assert "/hooks" in confirmed.output
    assert (home / ".codex" / "hooks.json").exists()
    assert not foxing.json("install", "codex", "--remove")["written"]  # --json does not ask


def test_install_has_past_sessions_of_the_project_imported(foxing: Foxing, project: Path, home: Path) -> None:
    foxing.database = str(home / "data" / "a.db")
    foxing.text("install", "cursor", "--project", "--yes", "--bank", "main")
    (path,) = waiting(spool_of(foxing.database))
    event = read(path)
    assert (event.host, event.bank, event.folder) == ("cursor", "main", str(project))
    assert (project / ".cursor" / "hooks.json").exists()


def test_a_refused_file_is_an_error_in_a_sentence(foxing: Foxing, home: Path) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("a = ")
    assert "config.toml" in foxing.failure("install", "codex", "--yes")["detail"]
    assert not (home / ".codex" / "hooks.json").exists()
    assert "bank" in foxing.failure("install", "cursor", "--yes", "--bank", "my bank")["detail"]
    assert not (home / ".cursor").exists()


@pytest.mark.parametrize("arguments", [["install", "claude-code", "--yes"], ["doctor"]])
def test_a_file_that_is_not_json_is_named_once(foxing: Foxing, home: Path, arguments: list[str]) -> None:
    path = home / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text("{broken")
    result = foxing.run(*arguments)
    assert result.exit_code == 1
    assert f"{path} " in result.output
    assert result.output.count(f"{path}") == 1


def test_doctor_says_what_is_installed_stored_and_wrong(
    foxing: Foxing, intake: Intake, session: ClaudeSession, announce: Announce, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = foxing.run("doctor", "--json")
    assert nothing.exit_code == 1
    assert "no hooks are installed" in json.loads(nothing.stdout)["problems"][0]
    foxing.text("install", "claude-code", "--yes", "--no-past")
    session.say(("rename it", "renamed"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    announce("Stop", session.payload("Stop"))
    found = json.loads(foxing.run("doctor", "--json").stdout)
    (installed,) = found["installed"]
    assert (installed["tool"], installed["scope"], installed["missing"]) == ("claude-code", "user", [])
    assert found["bank"] == bank_of(session.project)
    assert found["stored"][found["bank"]]["thread"] == session.thread
    assert found["spool"] == 1
    assert any("the service is not reached" in problem for problem in found["problems"])
    monkeypatch.setattr(doctor, "service_status", lambda database: {"service": "http://127.0.0.1:1", "past": 2})
    text = foxing.run("doctor").output
    assert "2 past sessions wait" in text
    assert "foxing-hook, which is not there" not in text or not Path(installed["hooks"]).exists()


def test_doctor_says_what_waits_in_outboxes(foxing: Foxing) -> None:
    assert json.loads(foxing.run("doctor", "--json").stdout)["outboxes"] == []
    assert not outbox_path("wrap").parent.exists()
    file = OutboxFile(outbox_path("wrap"), "http://127.0.0.1:8765 ana")
    with file.writing() as connection:
        file.add(connection, [{"id": "m", "role": "user", "content": "hello"}])
    ((door, state),) = json.loads(foxing.run("doctor", "--json").stdout)["outboxes"]
    assert (door, state["entries"], state["last_error"]) == ("wrap", 1, None)
    file.note_failure(Unreachable("there is no service"))
    shown = " ".join(foxing.run("doctor").output.split())
    file.close()
    assert "outbox of wrap: What waits? 1 messages for http://127.0.0.1:8765 ana" in shown
    assert "Unreachable: there is no service" in shown


def test_a_spool_that_cannot_be_written_costs_the_event_alone(
    database: str, session: ClaudeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(client, "start_service", started.append)
    Path(spool_of(database)).parent.mkdir(parents=True)
    Path(spool_of(database)).touch()
    assert client.handle("claude-code", "Stop", "", database, b"{}", 0.0) == b""
    assert started == [database]
    assert "claude-code Stop is not stored" in Path(log_of(database)).read_text()


def test_doctor_finds_hooks_that_are_missing_and_programs_that_are_gone(foxing: Foxing, home: Path) -> None:
    foxing.text("install", "claude-code", "--yes", "--no-past")
    settings = home / ".claude" / "settings.json"
    document = json.loads(settings.read_text())
    del document["hooks"]["Stop"]
    document["hooks"]["SessionEnd"][0]["hooks"][0]["command"] = "/gone/foxing-hook claude-code SessionEnd"
    of_an_older_python = "/gone/python3.11 -IS /gone/lib/foxing-hook claude-code SessionStart"
    document["hooks"]["SessionStart"][0]["hooks"][0]["command"] = of_an_older_python
    settings.write_text(json.dumps(document))
    problems = " ".join(json.loads(foxing.run("doctor", "--json").stdout)["problems"])
    assert "lacks hooks for Stop; run: foxing install claude-code --user" in problems
    for program in ("/gone/foxing-hook", "/gone/python3.11", "/gone/lib/foxing-hook"):
        assert f"starts {program}, which is not there" in problems


def test_settings_of_a_project_name_no_path_of_this_machine(
    foxing: Foxing, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = foxing.failure("install", "claude-code", "--project", "--yes")
    assert "path of this machine" in outside["detail"]
    assert not (project / ".claude").exists()
    foxing.database = str(home / "data" / "my memory.db")
    for tool in HOSTS:
        foxing.text("install", tool, "--project", "--yes", "--no-past")
    files = [path for path in project.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == [
        *(".mcp.json", "config.toml", "foxing.js", "hooks.json", "hooks.json", "mcp.json", "opencode.json"),
        *("settings.json", "settings.json"),
    ]
    for path in files:
        assert str(home) not in path.read_text()
        assert "/bin/" not in path.read_text()
    servers = json.loads((project / ".mcp.json").read_text())["mcpServers"]
    assert servers["foxing"]["command"] == "foxing"
    assert servers["foxing"]["args"][:2] == ["--database", "~/data/my memory.db"]
    hooks = json.loads((project / ".claude" / "settings.json").read_text())["hooks"]
    command = hooks["Stop"][0]["hooks"][0]["command"]
    assert command == "foxing-hook claude-code Stop --database '~/data/my memory.db'"
    assert client._options(shlex.split(command)[1:], "")[2] == foxing.database
    # found on the PATH, or said so
    found = json.loads(foxing.run("doctor", "--json").stdout)["problems"]
    monkeypatch.setenv("PATH", "/nowhere")
    missing = json.loads(foxing.run("doctor", "--json").stdout)["problems"]
    assert len(missing) > len(found) or any("not on the PATH" in problem for problem in found)
    assert any("foxing-hook, which is not on the PATH" in problem for problem in missing)
    assert "not on the PATH here" in foxing.text("install", "claude-code", "--project", "--yes", "--no-past")
    for tool in HOSTS:
        foxing.text("install", tool, "--project", "--remove", "--yes")
    assert [path for path in project.rglob("*") if path.is_file()] == []


def test_doctor_counts_what_its_own_log_says(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    foxing.text("install", "claude-code", "--yes", "--no-past")
    running = {"service": "http://127.0.0.1:1", "past": 0}
    monkeypatch.setattr(doctor, "service_status", lambda database: running)
    monkeypatch.setattr(doctor.os, "access", lambda *_: True)
    note(foxing.database, "started a service, process 7")
    sound = foxing.run("doctor")
    assert (sound.exit_code, "Everything is in order" in sound.output) == (0, True)
    with Path(log_of(foxing.database)).open("a") as log:
        log.write("2020-01-01T00:00:00Z claude-code Stop waits: long ago\nhalf a line\n")
    assert foxing.run("doctor").exit_code == 0
    note(foxing.database, "cannot write: no space left")
    note(foxing.database, "claude-code Stop waits: the database is locked")
    failing = foxing.run("doctor")
    assert failing.exit_code == 1
    assert "Everything is in order" not in failing.output
    (problem,) = json.loads(foxing.run("doctor", "--json").stdout)["problems"]
    assert "2 times within a day" in problem
    assert "the database is locked" in problem


def test_doctor_counts_prompts_that_got_no_answer(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    foxing.text("install", "claude-code", "--yes", "--no-past")
    running = {"service": "http://127.0.0.1:1", "past": 0}
    monkeypatch.setattr(doctor, "service_status", lambda database: running)
    monkeypatch.setattr(doctor.os, "access", lambda *_: True)
    outcomes = [GIVEN, *["no answer in 600 ms"] * 2, *[NOTHING] * 6, GIVEN]
    for outcome in outcomes:
        note(foxing.database, f"claude-code UserPromptSubmit: {outcome}", ASKED)
    assert foxing.run("doctor").exit_code == 0
    for outcome in [*["no answer in 600 ms"] * 5, "no service ran; one was started"]:
        note(foxing.database, f"claude-code UserPromptSubmit: {outcome}", ASKED)
    assert foxing.run("doctor").exit_code == 1
    (problem,) = json.loads(foxing.run("doctor", "--json").stdout)["problems"]
    assert problem == (
        "6 of the last 10 prompts got nothing, because: no answer in 600 ms (5); no service ran; one was started (1)"
    )


def test_hook_does_what_the_program_does(foxing: Foxing, session: ClaudeSession) -> None:
    payload = json.dumps(session.payload("Stop"))
    done = foxing.run("hook", "Stop", "--tool", "codex", "--bank", "main", stdin=payload)
    assert (done.exit_code, done.stdout) == (0, "")
    (path,) = waiting(spool_of(foxing.database))
    event = read(path)
    assert (event.host, event.name, event.bank, event.payload.decode()) == ("codex", "Stop", "main", payload)


def test_doctor_names_hooks_that_codex_leaves_out(foxing: Foxing) -> None:
    foxing.text("install", "codex", "--yes", "--no-past")
    problems = json.loads(foxing.run("doctor", "--json").stdout)["problems"]
    assert any("Codex (user) does not run SessionStart, UserPromptSubmit" in problem for problem in problems)
    assert any("/hooks" in problem for problem in problems)
