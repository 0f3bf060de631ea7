"""kill -9 of a process of a service of several, and of their parent, while clients store."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from benchmarks.command_line import Advance

from .banks import place_of
from .inspection import inspect
from .kills import CLIENTS, Ledger, run_client, stored_messages
from .processes import Service, client

KILLS = 4  # of processes in each round, before the kill of their parent
UNTIL_KILLED_S = (0.3, 2.5)
PROBE_S = 0.02
PROBE_TIMEOUT_S = 5.0
ENDS_WITHIN_S = 10.0


@dataclass(frozen=True)
class ProcessKills:
    """State of the database after processes of services and their parents were killed."""

    database: str
    processes: int
    #: kills of a process, and of the parent of all
    process_kills: int
    parent_kills: int
    #: acknowledged messages, and those of them that had to be sent again
    acknowledged: int
    retried: int
    #: acknowledged messages that are not in the database
    lost: int
    #: messages in the database in excess of those acknowledged
    duplicates: int
    #: longest time in which the service answered no new connection while processes were killed
    longest_silence_s: float
    #: longest time after the kill of a parent until all of its processes had ended
    longest_end_s: float
    faults: list[str]


@dataclass
class _Silence:
    """Longest time between two answers to new connections."""

    longest_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def watch(self, url: str) -> None:
        """Sends requests until `stop` is set."""
        last = time.perf_counter()
        while not self.stop.is_set():
            with suppress(httpx.TransportError), client(url, PROBE_TIMEOUT_S) as connection:
                connection.get("/healthz")
                last, before = time.perf_counter(), last
                self.longest_s = max(self.longest_s, last - before)
            time.sleep(PROBE_S)


def measure_process_kills(
    folder: Path, rounds: int, processes: int, database: str | None = None, progress: Advance | None = None
) -> ProcessKills:
    """Runs the rounds on one database and one port and returns its state."""
    ledger = Ledger()
    random = Random(0)
    faults: list[str] = []
    kills = 0
    silence_s = 0.0
    end_s = 0.0
    place = place_of(folder, database)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for number in range(rounds):
        with Service(folder, database=database, processes=processes, port=port) as service:
            url = service.url()
            stop, silence = threading.Event(), _Silence()
            with ThreadPoolExecutor(CLIENTS + 1) as pool:
                names = [f"round-{number}-{n}" for n in range(CLIENTS)]
                calls = [pool.submit(run_client, url, f"round-{number}", name, ledger, stop) for name in names]
                _wait_until_ready(url)
                watching = pool.submit(silence.watch, url)
                for _ in range(KILLS):
                    time.sleep(random.uniform(*UNTIL_KILLED_S))
                    children = service.children()
                    if len(children) > 1:  # at least one answers; that which was killed last may not be replaced yet
                        os.kill(random.choice(children), signal.SIGKILL)
                        kills += 1
                time.sleep(random.uniform(*UNTIL_KILLED_S))
                silence.stop.set()
                watching.result()
                children = service.children()
                service.kill()
                end_s = max(end_s, _ended_within_s(children))
                stop.set()
            for call in calls:
                call.result()
        silence_s = max(silence_s, silence.longest_s)
        faults += [f"round {number}: {fault}" for fault in inspect(place).faults()]
        if progress is not None:
            progress(number + 1, rounds)
    with Service(folder, database=database, processes=processes, port=port) as service:
        with client(service.url()) as connection:
            if not ledger.send_waiting(connection):
                faults.append("the service does not accept the remaining messages")
        service.terminate()
    acknowledged, stored = set(ledger.acknowledged), stored_messages(place)
    return ProcessKills(
        database=place.partition("://")[0],
        processes=processes,
        process_kills=kills,
        parent_kills=rounds,
        acknowledged=len(ledger.acknowledged),
        retried=len(ledger.retried),
        lost=len(acknowledged - stored),
        duplicates=len(stored) - len(acknowledged & stored),
        longest_silence_s=round(silence_s, 2),
        longest_end_s=round(end_s, 2),
        faults=faults,
    )


def _wait_until_ready(url: str) -> None:
    with client(url) as connection:
        connection.get("/readyz")


def _ended_within_s(pids: list[int]) -> float:
    """Waits until processes have ended and returns the seconds that it took."""
    started = time.perf_counter()
    while any(_runs(pid) for pid in pids) and time.perf_counter() - started < ENDS_WITHIN_S:
        time.sleep(0.01)
    return time.perf_counter() - started


def _runs(pid: int) -> bool:
    """True for a process that has not ended. An ended one may wait for its parent to note it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
