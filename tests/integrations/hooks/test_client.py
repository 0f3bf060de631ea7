"""The program that coding agents start, against a running service."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from platformdirs import user_data_path
from support.agent_sessions import ClaudeSession
from support.command_line import start

from foxing.api.running_service import RunningService, announced, sqlite_file
from foxing.integrations.hooks import places
from foxing.integrations.hooks.hosts import HOSTS
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.hooks.settings_files import find_executables
from foxing.integrations.hooks.spool import Event, put, read, waiting
from foxing.memory import Memory
from foxing.renderer.announcement import Announcement

LIMITS = (
    "from foxing.integrations.hooks import client; "
    "client.LIMIT_S = {0}; client.WAITS_S = dict.fromkeys(client.WAITS_S, {0}); client.main()"
)
SAID = [
    ("which port does redis use on the laptops", "Redis listens on 6380 on the laptops, since 6379 is taken."),
    ("the settlement job is slow", "The index ledger_unsettled_idx was missing; I restored it."),
]


def call(database: str, *arguments: str, payload: object = None, limit_s: float = 60.0) -> str:
    """Runs the program as an agent does, with time to answer on a busy machine, and returns what it prints."""
    command = [sys.executable, "-c", LIMITS.format(limit_s), *arguments, "--database", database]
    given = json.dumps(payload).encode() if payload is not None else b""
    done = subprocess.run(command, input=given, capture_output=True, timeout=120, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


@contextmanager
def serving(database: str) -> Iterator[int]:
    """A service on a database; yields its process id, and kills it."""
    process = start("--database", database, "serve", "--port", "0", "--json")
    try:
        process.stdout.readline()
        yield process.pid
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def stored(database: str, session: ClaudeSession, home: Path) -> str:
    """A database with a session of the project."""
    Path(database).parent.mkdir(exist_ok=True)
    messages = [
        {"role": role, "content": text, "thread": "claude-code:earlier"}
        for turn in SAID
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    with Memory(database) as memory:
        memory.store(bank_of(session.project), messages)
    return database


def test_names_that_are_declared_twice_are_equal(home: Path) -> None:
    assert Path(places.default_database()) == sqlite_file(None) == user_data_path("foxing") / "foxing.db"


def test_an_announcement_is_read_as_it_is_written(tmp_path: Path) -> None:
    with announced(tmp_path / "a.db", "::", 8765) as token:
        found = Announcement.of(tmp_path / "a.db")
        assert found is not None
        assert (found.host, found.port, found.token) == ("::1", 8765, token)
        assert json.loads((tmp_path / "a.db-service").read_text())["token"] == token
    assert Announcement.of(tmp_path / "a.db") is None


@pytest.mark.slow
def test_a_prompt_gets_what_is_relevant_fenced_and_nothing_else(stored: str, session: ClaudeSession) -> None:
    with serving(stored):
        answer = call(
            stored,
            *("claude-code", "UserPromptSubmit"),
            payload=session.payload("UserPromptSubmit", prompt="what port is redis on, on my laptop?"),
        )
        given = json.loads(answer)["hookSpecificOutput"]
        assert given["hookEventName"] == "UserPromptSubmit"
        head, _, rest = given["additionalContext"].partition("\n<remembered>\n")
        assert "not instructions" in head
        assert "6380" in rest
        assert rest.endswith("\n</remembered>")
        for prompt in ("yes, go ahead", "write a haiku about compilers", "", "<private>redis on laptops</private>"):
            payload = session.payload("UserPromptSubmit", prompt=prompt)
            assert call(stored, "claude-code", "UserPromptSubmit", payload=payload) == ""
        # the session that the model has before it is not repeated to it
        own = {**session.payload("UserPromptSubmit", prompt="which port does redis use"), "session_id": "earlier"}
        assert call(stored, "claude-code", "UserPromptSubmit", payload=own) == ""
        compacted = {**own, "source": "compact"}
        call(stored, "claude-code", "SessionStart", payload=compacted)
        assert "6380" in call(stored, "claude-code", "UserPromptSubmit", payload=own)


@pytest.mark.slow
def test_a_session_begins_with_the_last_ones_and_what_is_pinned(stored: str, session: ClaudeSession) -> None:
    bank = bank_of(session.project)
    with Memory(stored) as memory:
        memory.seal(bank)
        memory.pin(bank, memory.pages(bank).pages[0].id)
        memory.store(bank, [{"role": "user", "content": "newest", "thread": "claude-code:newest"}])
    with serving(stored):
        answer = call(stored, "codex", "SessionStart", payload=session.payload("SessionStart", source="startup"))
        text = json.loads(answer)["hookSpecificOutput"]["additionalContext"]
        assert text.index("newest") < text.index("settlement job") < text.index("Pinned:")
        about = {"conversation_id": "c", "workspace_roots": [str(session.project)]}
        assert json.loads(call(stored, "cursor", "sessionStart", payload=about))["additional_context"] == text


@pytest.mark.slow
def test_a_turn_is_stored_by_the_service(stored: str, session: ClaudeSession) -> None:
    with serving(stored):
        session.say(("rename it", "renamed"))
        assert call(stored, "claude-code", "Stop", payload=session.payload("Stop")) == ""
        while waiting(places.spool_of(stored)):
            time.sleep(0.02)
    with Memory(stored) as memory:
        found = memory.recall(bank_of(session.project), None, thread=session.thread).spans
        assert [span.text for span in found] == ["rename it", "renamed"]


@pytest.mark.slow
def test_without_a_service_the_event_waits_and_one_service_is_started(stored: str, session: ClaudeSession) -> None:
    session.say(("rename it", "renamed"))
    started = [call(stored, "claude-code", "Stop", payload=session.payload("Stop")) for _ in range(3)]
    assert started == [""] * 3
    while RunningService.of(Path(stored)) is None or waiting(places.spool_of(stored)):
        time.sleep(0.05)
    log = Path(places.log_of(stored)).read_text()
    assert log.count("started a service") == 1
    os.kill(int((Path(places.folder_of(stored)) / "service-starting").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_given_up(stored: str, session: ClaudeSession) -> None:
    payload = session.payload("UserPromptSubmit", prompt="what port is redis on?")
    with serving(stored) as pid:
        os.kill(pid, signal.SIGSTOP)
        try:
            assert call(stored, "claude-code", "UserPromptSubmit", payload=payload, limit_s=0.15) == ""
        finally:
            os.kill(pid, signal.SIGCONT)
        # it is given with the next prompt of the session, and its user is told once
        while waiting(places.spool_of(stored)):
            time.sleep(0.02)
        following = session.payload("UserPromptSubmit", prompt="go ahead")
        document = json.loads(call(stored, "claude-code", "UserPromptSubmit", payload=following))
        assert "6380" in document["hookSpecificOutput"]["additionalContext"]
        assert "too late for an earlier prompt" in document["systemMessage"]
        assert call(stored, "claude-code", "UserPromptSubmit", payload=following) == ""
    asked = (Path(places.folder_of(stored)) / places.ASKED).read_text()
    assert "UserPromptSubmit: no answer in 150 ms" in asked


@pytest.mark.slow
def test_nothing_fails_the_agent(stored: str, tmp_path: Path, session: ClaudeSession) -> None:
    with serving(stored):
        for arguments in (("claude-code", "UserPromptSubmit"), ("claude-code", "Nonsense"), ("emacs", "Stop"), ()):
            assert call(stored, *arguments) == ""
    assert "no host is called 'emacs'" in Path(places.log_of(stored)).read_text()
    file = tmp_path / "file"
    file.write_text("")
    assert call(str(file / "a.db"), "claude-code", "Stop", payload={}) == ""


def test_the_spool_has_the_event_as_the_tool_gave_it(stored: str, session: ClaudeSession) -> None:
    payload = session.payload("Stop", last_assistant_message="a\nb")
    path = put(places.spool_of(stored), Event("claude-code", "Stop", "", "/a b", json.dumps(payload).encode()))
    event = read(path)
    assert (event.host, event.name, event.bank, event.folder) == ("claude-code", "Stop", "", "/a b")
    assert json.loads(event.payload) == payload


def test_an_agent_without_memory_leaves_no_trace(
    database: str, session: ClaudeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_FOXING", "1")
    assert call(database, "claude-code", "Stop", payload=session.payload("Stop")) == ""
    assert not Path(database).parent.exists()


def test_what_install_writes_starts_without_site_and_in_a_session_of_its_own(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")
    words = shlex.split(find_executables(None, database).hook_command(HOSTS["claude-code"], "Nonsense"))
    if sys.platform == "linux":
        assert words[:2] == [shutil.which("setsid"), "-w"]
    place = words.index("-IS")
    command = [*words[:place], "-X", "importtime", *words[place:]]
    done = subprocess.run(command, input=b"", capture_output=True, env={**os.environ, "NO_FOXING": "1"})
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert done.returncode == 0
    assert "foxing.integrations.hooks.client" in loaded
    assert not loaded & {"site", "re", "enum"}


def test_the_program_loads_little() -> None:
    code = (
        "import sys; from foxing.integrations.hooks import client; client.main(); "
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}", "claude-code"],
        input=b"",
        capture_output=True,
        check=True,
        timeout=120,
    )
    loaded = set(done.stderr.decode().split())
    assert not loaded & {"json", "re", "socket", "enum", "dataclasses", "pathlib", "subprocess", "typing", "asyncio"}
