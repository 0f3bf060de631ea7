"""A database is upgraded under the load of a service of two processes, which are then replaced one after another by
those of the next version."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from support.command_line import Foxing, start
from support.databases import PostgresServer, execute
from support.migrations import LATER, REPOSITORY, add_later_migration
from support.processes import ForkedProcess, start_python

from foxing.memory import DatabaseTooNew, Memory
from foxing.memory.storage.database import MIGRATION_LOCK_MS, Database

#: `foxing` of the next version; the first argument is the folder of its migrations.
NEXT = """
import sys
from pathlib import Path
import pytest
from sqlalchemy import text
from support.migrations import add_later_migration
add_later_migration(pytest.MonkeyPatch(), Path(sys.argv.pop(1)))
from foxing.api.cli.main import main
main()
"""
STORING, RECALLING = 4, 2
PHASE_S = 3.0
#: Limit for a call with its retries.
CALL_S = 60.0
#: Longest time that any call may take while the database is upgraded.
LONGEST_S = 10.0

pytestmark = pytest.mark.slow


@dataclass
class Load:
    """Clients of a service behind two addresses. A failed call is repeated at the other address."""

    urls: list[str]
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    #: reason of calls that failed and were repeated, and of those for which that was in vain
    repeated: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0

    def call(self, number: int, path: str, body: dict[str, object], key: str | None = None) -> httpx.Response | None:
        """Returns the answer of a call; None if repetition is in vain."""
        started = time.monotonic()
        headers = {} if key is None else {"Idempotency-Key": key}
        reason = ""
        for attempt in count():
            url = self.urls[(number + attempt) % len(self.urls)]
            try:
                with httpx.Client(base_url=url, timeout=CALL_S, verify=False) as client:
                    answer = client.post(path, json=body, headers=headers)
                if answer.is_success:
                    self.calls[path.rpartition("/")[2]] += 1
                    self.longest_s = max(self.longest_s, time.monotonic() - started)
                    return answer
                reason = f"{answer.status_code} {answer.text[:300]}"
                retried = answer.status_code == 503
            except httpx.TransportError as error:
                reason, retried = type(error).__name__, True
            if not retried or time.monotonic() - started > CALL_S:
                break
            self.repeated[reason] += 1
            time.sleep(0.05)
        self.failed.append(f"{path}: {reason}")
        return None

    def store(self, client: int) -> None:
        bank = f"agent-{client}"
        for number in count():
            if self.stop.is_set():
                return
            content = f"Parcel {number} of client {client} left Hamburg for Titan on day {number % 30}."
            body = {"thread": f"t{number % 5}", "messages": [{"role": "user", "content": content}]}
            answer = self.call(number, f"/v1/banks/{bank}/messages", body, f"{client}-{number}")
            if answer is not None:
                self.acknowledged.append((answer.json()["ids"][0], content))

    def recall(self, client: int) -> None:
        for number in count():
            if self.stop.is_set():
                return
            body = {"query": f"Which parcel left on day {number % 30}?"}
            self.call(number, f"/v1/banks/agent-{client % STORING}/recall", body)

    def age(self) -> None:
        for number in count():
            if self.stop.is_set():
                return
            bank = f"agent-{number % STORING}"
            self.call(number, f"/v1/banks/{bank}/seal", {})
            self.call(number, f"/v1/banks/{bank}/age", {"now": "2030-01-01T00:00:00Z"})


def _url(process: ForkedProcess) -> str:
    line = process.stdout.readline()
    assert line, process.communicate(timeout=60)
    return str(json.loads(line)["url"])


def _end(process: ForkedProcess) -> None:
    process.terminate()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


@pytest.fixture
def next_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "tests"))
    return tmp_path / "later"


@pytest.mark.both_databases
def test_processes_of_two_versions_serve_during_an_upgrade(database_url: str, next_migrations: Path) -> None:
    serve = ("--database", database_url, "serve", "--port", "0", "--json")
    environment = {"FOXING_TIME_TRAVEL": "true", "FOXING_AGEING_INTERVAL_S": "1", "PYTHONWARNINGS": "ignore"}
    with Memory(database_url) as memory:
        for client in range(STORING):
            memory.store(f"agent-{client}", [{"role": "user", "content": "The first parcel."}])
    with ExitStack() as stack:
        older = [start(*serve, **environment) for _ in range(2)]
        for process in older:
            stack.callback(process.kill)
        load = Load([_url(process) for process in older])
        pool = stack.enter_context(ThreadPoolExecutor(STORING + RECALLING + 1))
        stack.callback(load.stop.set)
        clients = [pool.submit(load.store, client) for client in range(STORING)]
        clients += [pool.submit(load.recall, client) for client in range(RECALLING)]
        clients.append(pool.submit(load.age))
        time.sleep(PHASE_S)
        arguments = ("--database", database_url, "db", "upgrade", "--json")
        upgrade = start_python(NEXT, str(next_migrations), *arguments, **environment)
        output, errors = upgrade.communicate(timeout=120)
        assert upgrade.returncode == 0, errors
        document = json.loads(output)
        assert document["after"] == LATER
        assert document["rolling"]
        time.sleep(PHASE_S)  # older processes on the newer schema
        stored_by_older = len(load.acknowledged)
        late = start(*serve, **environment)  # one of the older version starts, too
        stack.callback(late.kill)
        assert httpx.get(f"{_url(late)}/readyz", verify=False).status_code == 200
        _end(late)
        replacements = []
        for place, process in enumerate(older):
            replacement = start_python(NEXT, str(next_migrations), *serve, **environment)
            stack.callback(replacement.kill)
            url = _url(replacement)
            load.urls[place] = url
            replacements.append(replacement)
            _end(process)
            time.sleep(PHASE_S)
        load.stop.set()
        for future in clients:
            future.result()
        for process in replacements:
            _end(process)
        assert load.failed == []
        assert len(load.acknowledged) > stored_by_older > 0
        assert load.calls["recall"] > 0
        assert load.calls["seal"] > 0
        assert load.calls["age"] > 0
        assert load.longest_s < LONGEST_S, load.repeated
    print(f"{dict(load.calls)}, repeated {dict(load.repeated)}, longest {load.longest_s:.2f} s")
    with Memory(database_url) as memory:  # the older version again
        # an erasure by it reaches the table that it does not know
        memory.erase_bank("agent-0")
        banks = [f"agent-{client}" for client in range(1, STORING)]
        stored = {message.message_id for bank in banks for message in memory.export(bank)}
    acknowledged = [message for message, content in load.acknowledged if "client 0" not in content]
    assert len(stored) == len(acknowledged) + len(banks)
    assert set(acknowledged) <= stored
    assert execute(database_url, "SELECT count(*) FROM thread_notes WHERE bank_id NOT IN (SELECT id FROM banks)") == [
        (0,)
    ]
    assert Foxing(database_url).json("db", "check")["ok"]


@pytest.mark.both_databases
def test_an_upgrade_that_shuts_out_running_processes(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    with Memory(database_url) as memory:
        memory.store("ana", [{"role": "user", "content": "hello"}])
        with pytest.MonkeyPatch.context() as patch:
            add_later_migration(patch, folder)
            (file,) = folder.glob("*.py")
            source = file.read_text(encoding="utf-8")
            file.write_text(source.replace('oldest = "2026_12_02_1430"\n', ""), encoding="utf-8")
            assert not Foxing(database_url).json("db", "upgrade", "--dry-run")["rolling"]
            assert "shuts out" in Foxing(database_url).text("db", "upgrade", "--dry-run")
            Foxing(database_url).json("db", "upgrade")
        with pytest.raises(DatabaseTooNew, match=f"needs one of schema {LATER} or later"):
            memory.store("ana", [{"role": "user", "content": "another"}])
    with pytest.raises(DatabaseTooNew):
        Memory(database_url)
    assert execute(database_url, "SELECT count(*) FROM messages") == [(1,)]


def test_calls_do_not_queue_behind_an_upgrade_that_waits(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    with Memory(url) as memory, Database(url) as other, ThreadPoolExecutor(1) as pool:
        memory.store("ana", [{"role": "user", "content": "hello"}])
        with pytest.MonkeyPatch.context() as patch:
            add_later_migration(patch, tmp_path / "later")
            with other.engine.connect() as connection:  # a dump, say
                connection.execute(text("SELECT * FROM threads"))
                upgrade = pool.submit(Foxing(url).json, "db", "upgrade")
                longest_s = 0.0
                for number in range(40):
                    started = time.monotonic()
                    memory.store("ana", [{"role": "user", "content": f"message {number}"}], thread=f"t{number}")
                    longest_s = max(longest_s, time.monotonic() - started)
                    time.sleep(0.1)
                assert not upgrade.done()
                assert other.revision() != LATER
            assert upgrade.result(timeout=60)["after"] == LATER
    print(f"longest store {longest_s:.2f} s")
    assert longest_s < MIGRATION_LOCK_MS / 1000 + 2
    postgres_server.give_back(url)
