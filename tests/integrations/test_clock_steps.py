"""The clock steps while turns wait: none is lost, and none is stored twice."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from support.agent_sessions import Announce, ClaudeSession
from support.clock import Clock

from foxing.integrations.client import connect
from foxing.integrations.hooks.answers import Answers
from foxing.integrations.hooks.intake import Intake
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.outbox.adapter import Outbox
from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory
from foxing.memory.errors import Unavailable
from foxing.memory.ingest.importers import HistoryWatcher
from foxing.renderer.clock import utc_now
from tests.upstream import Upstream

BACK, FORWARD = timedelta(hours=-3), timedelta(hours=3)


@pytest.fixture
def clock() -> Clock:
    """The clock of the memory; that of what writes turns is the real one."""
    return Clock(utc_now())


@pytest.fixture
def memory(tmp_path: Path, clock: Clock, words_alone: None) -> Iterator[Memory]:
    with Memory(tmp_path / "a.db", clock=clock) as memory:
        yield memory


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def said(memory: Memory) -> list[tuple[str, str]]:
    return [(each.role, each.text) for each in memory.export("b")]


@pytest.mark.parametrize("step", [BACK, FORWARD])
def test_turns_of_the_proxy(step: timedelta, memory: Memory, clock: Clock, upstream: Upstream, tmp_path: Path) -> None:
    clock.now += step
    options = ProxyOptions(upstream=upstream.url, bank="b", budget=8_000, reader="text", journal=tmp_path / "proxy.db")
    with (
        BackgroundProxy(options, lambda: memory) as proxy,
        Anthropic(base_url=proxy.url, api_key="sk-ant-secret", max_retries=0) as client,
    ):
        for number in range(2):
            asked: Any = [{"role": "user", "content": f"question {number}"}]
            client.messages.create(model="claude-fable-5-1", max_tokens=50, messages=asked)
    assert [text for role, text in said(memory) if role == "user"] == ["question 0", "question 1"]


@pytest.mark.parametrize("step", [BACK, FORWARD])
def test_turns_of_a_wrapped_client(
    step: timedelta, memory: Memory, clock: Clock, upstream: Upstream, tmp_path: Path
) -> None:
    clock.now += step
    options: dict[str, Any] = {"memory": memory, "bank": "b", "journal": tmp_path / "wrap.db", "deadline_s": 60.0}
    with wrap(Anthropic(base_url=upstream.url, api_key="key", max_retries=0), **options) as client:
        asked: Any = [{"role": "user", "content": "question"}]
        client.messages.create(model="claude-fable-5-1", max_tokens=50, messages=asked)
        assert flush(client)
    assert [text for role, text in said(memory) if role == "user"] == ["question"]


@pytest.mark.parametrize("step", [BACK, FORWARD])
def test_messages_that_an_adapter_kept(step: timedelta, memory: Memory, clock: Clock) -> None:
    class Down:
        """A memory that is down at first."""

        down = True

        def __getattr__(self, name: str) -> object:
            if name == "store" and self.down:
                raise Unavailable("the service is down")
            return getattr(memory, name)

    target = Down()
    outbox = Outbox(connect(target, "b"))  # type: ignore[arg-type]
    connection = connect(target, "b")  # type: ignore[arg-type]

    def put(number: int) -> None:
        from foxing.integrations.frameworks.call_sequences import run

        run(connection, outbox.put([{"id": f"m{number}", "role": "user", "content": f"message {number}"}]))

    put(0)
    put(1)
    assert outbox.pending == 2
    clock.now += step
    Down.down = False
    outbox.close()
    assert said(memory) == [("user", "message 0"), ("user", "message 1")]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    (folder / "code" / ".git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    return folder


@pytest.mark.parametrize("step", [BACK, FORWARD])
def test_events_of_hooks(
    step: timedelta, memory: Memory, clock: Clock, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database, project = str(tmp_path / "a.db"), home / "code"
    announce, intake = Announce(database), Intake(memory, database, Answers(memory))
    session = ClaudeSession(home / ".claude" / "projects", project, "first")
    session.say(("first", "one"))
    now = clock.now
    text = session.path.read_text().replace("2026-09-01T08:00:0", now.strftime("%Y-%m-%dT%H:%M:0"))
    session.path.write_text(text)
    about = {"conversation_id": "c1", "generation_id": "g1", "workspace_roots": [str(project)]}
    announce("Stop", session.payload("Stop"))
    announce("beforeSubmitPrompt", {**about, "prompt": "rename it"}, "cursor")
    clock.now = now + step
    assert intake.take_in() == 2
    bank = bank_of(project)
    stored = [span.text for span in memory.recall(bank, None, thread="cursor:c1").spans]
    assert stored == ["rename it"]
    for _ in range(2):  # as the intake does every minute
        intake.look_again(rest=True)
    clock.now = now + timedelta(minutes=1)
    intake.look_again(rest=True)
    assert [span.text for span in memory.recall(bank, None, thread=session.thread).spans] == ["first", "one"]
    assert intake._late == {}


@pytest.mark.parametrize("step", [BACK, FORWARD])
def test_a_watched_log(step: timedelta, memory: Memory, clock: Clock, home: Path, tmp_path: Path) -> None:
    session = ClaudeSession(home / "projects", home / "code", "first")
    session.say(("first", "one"))
    watcher = HistoryWatcher(memory, [home / "projects"], "b")
    assert [each.report and each.report.stored for each in watcher.poll()] == [2]
    session.say(("second", "two"))
    at = (clock.now + step).timestamp()
    os.utime(session.path, (at, at))
    assert [each.report and each.report.stored for each in watcher.poll()] == [2]
    assert list(watcher.poll()) == []


@pytest.mark.parametrize("step", [-timedelta(days=400), BACK, FORWARD, timedelta(hours=23)])
def test_idempotency_keys(step: timedelta, memory: Memory, clock: Clock) -> None:
    call = [{"role": "user", "content": "once"}]
    first = memory.store("b", call, idempotency_key="k")
    clock.now += step
    assert memory.store("b", call, idempotency_key="k").ids == first.ids
    memory.store("b", [{"role": "user", "content": "another"}], idempotency_key="l")
    clock.now -= step
    assert memory.store("b", call, idempotency_key="k").ids == first.ids
    assert memory.bank("b").messages == 2
