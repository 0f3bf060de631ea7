"""kill -9 of the service, of a worker and of the database server while clients store and pages age."""

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
from benchmarks.postgresql import PostgresServer
from foxing.api.memory_factory import open_memory
from foxing.api.settings import load_settings
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages

from . import texts
from .banks import place_of
from .inspection import inspect
from .processes import FoxingProcess, Service, checked, client

CLIENTS = 4
PAUSE_S = 0.03
UNTIL_KILLED_S = (0.3, 2.5)  # under load, drawn anew for each round
WORKS_S = 30.0  # within which a worker completes its first job, which loads the codec
LEASES_S = 61.0  # until the leases of a killed process have expired
TICK = {"FOXING_AGEING_INTERVAL_S": "1"}
#: Steps of a policy that ages pages through all tiers within seconds.
STEPS = {"PT4S": "small", "PT9S": "tiny", "PT14S": "micro"}
POLICY = {
    "seal_after": "PT1S",
    "steps": [{"after": after, "tier": tier} for after, tier in STEPS.items()],
    "undo_window": "PT3S",
}


@dataclass(frozen=True)
class Kills:
    """State of the database after processes were killed."""

    database: str
    #: rounds, in each of which a service and a worker were killed
    rounds: int
    #: rounds in which PostgreSQL was killed first and restarted
    server_kills: int
    #: acknowledged messages, and those of them that had to be sent again
    acknowledged: int
    retried: int
    #: acknowledged messages that are not in the database
    lost: int
    #: messages in the database in excess of those acknowledged
    duplicates: int
    #: messages with text left at the lowest tier; None if the leases were not waited for
    readable: int | None
    #: tier → pages
    tiers: dict[str, int]
    #: leases on pages and jobs left by kills in all rounds, and leases at the end
    leases: int
    leases_at_end: int
    faults: list[str]


@dataclass
class _Store:
    """A message that is sent until acknowledged, always with the same idempotency key."""

    bank: str
    key: str
    content: str
    attempts: int = 0

    def send(self, connection: httpx.Client) -> str:
        """Sends the message and returns its id."""
        self.attempts += 1
        response = connection.post(
            f"/v1/banks/{self.bank}/messages",
            json={"messages": [{"role": "user", "content": self.content}]},
            headers={"Idempotency-Key": self.key},
        )
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # its database was killed
            raise httpx.TransportError(response.text)
        return str(checked(response).json()["ids"][0])


@dataclass
class Ledger:
    """Record of the messages sent. It is shared by threads: its containers are only appended to and popped from."""

    acknowledged: deque[tuple[str, str]] = field(default_factory=deque)
    waiting: deque[_Store] = field(default_factory=deque)
    retried: deque[_Store] = field(default_factory=deque)

    def send(self, store: _Store, connection: httpx.Client) -> bool:
        """Sends a message and returns True if it was acknowledged; otherwise puts it into `waiting`."""
        try:
            self.acknowledged.append((store.bank, store.send(connection)))
        except httpx.TransportError:
            self.waiting.append(store)
            return False
        if store.attempts > 1:
            self.retried.append(store)
        return True

    def send_waiting(self, connection: httpx.Client) -> bool:
        """Sends the waiting messages; returns True if all were acknowledged."""
        while True:
            try:
                store = self.waiting.popleft()
            except IndexError:
                return True
            if not self.send(store, connection):
                return False


def measure_kills(
    folder: Path,
    rounds: int,
    progress: Advance | None = None,
    *,
    settle: bool = True,
    server: PostgresServer | None = None,
) -> Kills:
    """Runs the rounds on one database and returns its state. `settle`: at the end, wait until the leases of the last
    round have expired, age everything that is due, and read it. `server`: in every second round, killed first and
    restarted."""
    ledger, random, faults, leases = Ledger(), Random(0), [], 0
    place = place_of(folder, None if server is None else server.url)
    for number in range(rounds):
        _Round(folder, number, ledger, server).run(random.uniform(*UNTIL_KILLED_S))
        found = inspect(place)
        leases += found.leases
        faults += [f"round {number}: {fault}" for fault in found.faults()]
        if progress is not None:
            progress(number + 1, rounds)
    with Service(folder, database=place) as service, client(service.url()) as connection:
        if not ledger.send_waiting(connection):
            faults.append("the service does not accept the remaining messages")
        service.terminate()
    readable = _settle(place) if settle else None
    found = inspect(place)
    acknowledged, held = set(ledger.acknowledged), stored_messages(place)
    return Kills(
        database=place.partition("://")[0],
        rounds=rounds,
        server_kills=0 if server is None else -(-rounds // 2),
        acknowledged=len(ledger.acknowledged),
        retried=len(ledger.retried),
        lost=len(acknowledged - held),
        duplicates=found.messages - len(acknowledged & held),
        readable=readable,
        tiers=found.tiers,
        leases=leases,
        leases_at_end=found.leases,
        faults=[*faults, *found.faults()],
    )


@dataclass(frozen=True)
class _Round:
    """A service and a worker that are started, and killed while clients store into a new bank."""

    folder: Path
    number: int
    ledger: Ledger
    server: PostgresServer | None

    def run(self, seconds: float) -> None:
        """Kills both after `seconds`. In every second round the time starts once the worker has completed a job; in the
        others the database server, if there is one, is killed and restarted first."""
        bank = f"round-{self.number}"
        place = None if self.server is None else self.server.url
        with (
            Service(self.folder, environment=TICK, database=place) as service,
            FoxingProcess(self.folder, "worker", environment=TICK, database=place) as worker,
        ):
            url = service.url()
            with client(url) as connection:
                checked(connection.put(f"/v1/banks/{bank}/policy", json=POLICY))
            stop = threading.Event()
            with ThreadPoolExecutor(CLIENTS) as pool:
                names = [f"{bank}-{n}" for n in range(CLIENTS)]
                stored = [pool.submit(run_client, url, bank, name, self.ledger, stop) for name in names]
                if self.number % 2:
                    _wait_for_job(worker)
                elif self.server is not None:
                    time.sleep(seconds)
                    self.server.kill()
                    self.server.restart()
                time.sleep(seconds)
                service.kill()
                worker.kill()
                stop.set()
            for client_done in stored:
                client_done.result()


def _wait_for_job(worker: FoxingProcess) -> None:
    """Waits until the worker has logged a completed job, or for `WORKS_S`."""
    end, size = time.perf_counter() + WORKS_S, worker.log_size
    while time.perf_counter() < end and worker.log_path.stat().st_size == size:
        time.sleep(0.05)


def run_client(url: str, bank: str, name: str, ledger: Ledger, stop: threading.Event) -> None:
    """Stores into a bank until `stop` is set. `name`: seeds the texts and begins the idempotency keys."""
    random, number = Random(name), 0
    with client(url) as connection:
        while not stop.is_set():
            if ledger.send_waiting(connection):
                ledger.send(_Store(bank, f"{name}-{number}", texts.message(random)), connection)
                number += 1
            time.sleep(PAUSE_S)


def _settle(place: str) -> int:
    """Waits until all leases have expired, runs everything due, and returns the number of readable messages."""
    time.sleep(LEASES_S)
    with open_memory(load_settings({"database_url": place})) as memory:
        while True:
            report = memory.tick()
            if not (report.sealed_pages or report.moved_pages or report.purged):
                break
        names: Iterable[str] = sorted({bank for bank, _ in stored_messages(place)})
        return sum(1 for name in names for span in memory.export(name) if span.kept > 0)


MANY = 10_000_000  # more than any table of this benchmark holds


def stored_messages(place: str) -> set[tuple[str, str]]:
    """Bank and id of every message in the database."""
    database = Database(place)
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
