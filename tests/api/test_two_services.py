"""Two services on one SQLite file: what both store is stored once, and each leaves the other's announcement alone."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.agent_sessions import Announce, ClaudeSession
from support.command_line import Foxing, start

from foxing.api.running_service import RunningService
from foxing.integrations.hooks.places import spool_of
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.hooks.spool import waiting
from foxing.memory import Memory

pytestmark = pytest.mark.slow
ROUNDS = 12


class Service:
    """A service in a process of its own."""

    def __init__(self, database: Path, stack: ExitStack) -> None:
        self.process = start(
            "--database", str(database), "serve", "--port", "0", "--json", FOXING_AGEING_INTERVAL_S="0.1"
        )
        stack.callback(self.process.communicate)
        stack.callback(self.process.kill)
        url = json.loads(self.process.stdout.readline())["url"]
        self.client = stack.enter_context(httpx.Client(base_url=url, timeout=600))
        self.port = int(url.rpartition(":")[2])

    def store(self, *messages: dict[str, Any], key: str | None = None) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = self.client.post("/v1/banks/b/messages", json={"messages": messages}, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(120) == 0


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        yield [Service(tmp_path / "a.db", stack) for _ in range(2)]


def test_what_both_are_sent_is_stored_once(services: list[Service], tmp_path: Path) -> None:
    def send(service: Service) -> None:
        for number in range(ROUNDS):
            service.store({"id": f"m{number}", "role": "user", "content": f"Titan ships on {number + 1} March."})
            service.store({"role": "user", "content": f"keyed {number}"}, key=f"k{number}")
            service.store({"id": f"{service.port}-{number}", "role": "user", "content": f"own {number}"})
            if number % 4 == 3:
                assert service.client.post("/v1/banks/b/seal").status_code == 200
            assert service.client.post("/v1/banks/b/recall", json={"query": "Titan", "limit": 3}).json()["spans"]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, services))
    for service in services:
        service.stop()
    with Memory(tmp_path / "a.db") as memory:
        texts = sorted(span.text for span in memory.export("b"))
    own = [f"own {number}" for number in range(ROUNDS)]
    once = [text for n in range(ROUNDS) for text in (f"Titan ships on {n + 1} March.", f"keyed {n}")]
    assert texts == sorted([*once, *own, *own])
    found = Foxing(str(tmp_path / "a.db")).run("db", "check")
    assert found.exit_code == 0, found.output


def test_events_of_hooks_are_taken_in_once(services: list[Service], tmp_path: Path) -> None:
    database, project = str(tmp_path / "a.db"), tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    announce, sessions = Announce(database), [ClaudeSession(tmp_path / "logs", project, str(n)) for n in range(6)]
    for session in sessions:
        for number in range(3):
            session.say((f"question {number}", f"answer {number}"))
            announce("Stop", session.payload("Stop"))
    while waiting(spool_of(database)):
        services[0].client.get("/healthz")
    for service in services:
        service.stop()  # after the logs that they are at
    with Memory(database) as memory:
        assert memory.bank(bank_of(project)).messages == 6 * len(sessions)


def test_a_service_that_ends_leaves_the_announcement_of_the_other(services: list[Service], tmp_path: Path) -> None:
    first, second = services
    found = RunningService.of(tmp_path / "a.db")
    assert found is not None
    assert found.announcement.port == second.port  # which was started later
    first.stop()
    found = RunningService.of(tmp_path / "a.db")
    assert found is not None
    assert found.get("/healthz") is not None
    second.stop()
    assert RunningService.of(tmp_path / "a.db") is None
