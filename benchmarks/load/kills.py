"""kill -9 of the service and of a worker while clients store and pages age."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from benchmarks.command_line import Advance
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages

from . import texts
from .banks import database_path, open_database
from .inspection import inspect
from .processes import FoxingProcess, Service, checked, client

CLIENTS = 4
PAUSE_S = 0.03
UNTIL_KILLED_S = (0.3, 2.5)  # under load, drawn anew for each round
WORKS_S = 30.0  # within which a worker has done its first job, which loads the codec
LEASES_S = 61.0  # until what a killed process has leased is free
TICK = {"FOXING_AGEING_INTERVAL_S": "1"}
#: Sealed and aged through all tiers within seconds.
STEPS = {"PT4S": "small", "PT9S": "tiny", "PT14S": "micro"}
POLICY = {
    "seal_after": "PT1S",
    "steps": [{"after": after, "tier": tier} for after, tier in STEPS.items()],
    "undo_window": "PT3S",
}


@dataclass(frozen=True)
class Kills:
    """What is left after processes were killed."""

    #: a service and a worker were killed in each
    rounds: int
    #: acknowledged, of them only after they were sent again
    acknowledged: int
    sent_again: int
    #: acknowledged and not in the database
    lost: int
    #: in the database beside those that were acknowledged
    twice: int
    #: of which something is left at the lowest tier; None if the leases were not waited for
    readable: int | None
    #: tier → pages
    tiers: dict[str, int]
    #: leases on pages and jobs that a kill left, in all rounds, and those left at the end
    leases: int
    leases_at_end: int
    faults: list[str]


@dataclass
class _Store:
    """A message that is sent until it is acknowledged, every time with the same idempotency key."""

    bank: str
    key: str
    content: str
    attempts: int = 0

    def send(self, connection: httpx.Client) -> str:
        """The id of the message."""
        self.attempts += 1
        response = connection.post(
            f"/v1/banks/{self.bank}/messages",
            json={"messages": [{"role": "user", "content": self.content}]},
            headers={"Idempotency-Key": self.key},
        )
        return str(checked(response).json()["ids"][0])


@dataclass
class _Ledger:
    """What clients have sent. Threads share it: its containers are only appended to and popped from."""

    acknowledged: deque[tuple[str, str]] = field(default_factory=deque)
    waiting: deque[_Store] = field(default_factory=deque)
    sent_again: deque[_Store] = field(default_factory=deque)

    def send(self, store: _Store, connection: httpx.Client) -> bool:
        """Whether the message was acknowledged; otherwise it waits."""
        try:
            self.acknowledged.append((store.bank, store.send(connection)))
        except httpx.TransportError:
            self.waiting.append(store)
            return False
        if store.attempts > 1:
            self.sent_again.append(store)
        return True

    def send_waiting(self, connection: httpx.Client) -> bool:
        """Whether all that waited were acknowledged."""
        while True:
            try:
                store = self.waiting.popleft()
            except IndexError:
                return True
            if not self.send(store, connection):
                return False


def measure_kills(folder: Path, rounds: int, progress: Advance | None = None, *, settle: bool = True) -> Kills:
    """Runs the rounds on one database. `settle`: whether to wait for the leases of the last round in the end, let
    everything age and read it."""
    ledger, random, faults, leases = _Ledger(), Random(0), [], 0
    for number in range(rounds):
        _run_round(folder, number, random.uniform(*UNTIL_KILLED_S), ledger)
        found = inspect(database_path(folder))
        leases += found.leases
        faults += [f"round {number}: {fault}" for fault in found.faults()]
        if progress is not None:
            progress(number + 1, rounds)
    with Service(folder) as service, client(service.url()) as connection:
        if not ledger.send_waiting(connection):
            faults.append("the service does not answer in the end")
        service.terminate()
    readable = _settle(folder) if settle else None
    found = inspect(database_path(folder))
    acknowledged, held = set(ledger.acknowledged), _held(folder)
    return Kills(
        rounds=rounds,
        acknowledged=len(ledger.acknowledged),
        sent_again=len(ledger.sent_again),
        lost=len(acknowledged - held),
        twice=found.messages - len(acknowledged & held),
        readable=readable,
        tiers=found.tiers,
        leases=leases,
        leases_at_end=found.leases,
        faults=[*faults, *found.faults()],
    )


def _run_round(folder: Path, number: int, seconds: float, ledger: _Ledger) -> None:
    """Starts a service and a worker, stores into a new bank for some seconds, and kills both. In every second round the
    seconds begin once the worker has done a job."""
    bank = f"round-{number}"
    with Service(folder, environment=TICK) as service, FoxingProcess(folder, "worker", environment=TICK) as worker:
        url = service.url()
        with client(url) as connection:
            checked(connection.put(f"/v1/banks/{bank}/policy", json=POLICY))
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            stored = [pool.submit(_run_client, url, bank, f"{bank}-{n}", ledger, stop) for n in range(CLIENTS)]
            if number % 2:
                _wait_for_job(worker)
            time.sleep(seconds)
            service.kill()
            worker.kill()
            stop.set()
        for client_done in stored:
            client_done.result()


def _wait_for_job(worker: FoxingProcess) -> None:
    """Waits until the worker has logged that it has done a job; until `WORKS_S` have passed if there is none."""
    end, size = time.perf_counter() + WORKS_S, worker.log_size
    while time.perf_counter() < end and worker.log_path.stat().st_size == size:
        time.sleep(0.05)


def _run_client(url: str, bank: str, name: str, ledger: _Ledger, stop: threading.Event) -> None:
    random, number = Random(name), 0
    with client(url) as connection:
        goes_on = ledger.send_waiting(connection)
        while goes_on and not stop.is_set():
            goes_on = ledger.send(_Store(bank, f"{name}-{number}", texts.message(random)), connection)
            number += 1
            time.sleep(PAUSE_S)


def _settle(folder: Path) -> int:
    """Waits until no lease holds, does all that is due, and returns how many messages can be read."""
    time.sleep(LEASES_S)
    with open_database(folder) as memory:
        while True:
            report = memory.tick()
            if not (report.sealed_pages or report.moved_pages or report.purged):
                break
        names: Iterable[str] = sorted({bank for bank, _ in _held(folder)})
        return sum(1 for name in names for span in memory.export(name) if span.kept > 0)


MANY = 10_000_000  # more than a database of this benchmark holds of anything


def _held(folder: Path) -> set[tuple[str, str]]:
    """Bank and id of every message in the database."""
    database = Database(database_path(folder))
    try:
        with database.read() as connection:
            every = MessageFilter()
            return {
                (bank.name, message.key)
                for bank in banks.list_after(connection, None, MANY)
                for message in messages.window(connection, bank.id, every, after=None, limit=MANY)
            }
    finally:
        database.close()
