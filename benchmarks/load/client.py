"""Clients of the service in a process of their own, so that timing them shares no interpreter with anything else.

python -m benchmarks.load.client '{"url": "http://127.0.0.1:8765", "kind": "store", "bank": "b", "clients": 25}'
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Literal
from urllib.parse import urlsplit

from . import texts

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Task:
    """What the clients of a process do."""

    url: str
    kind: Literal["store", "recall", "health"]
    bank: str
    clients: int
    seconds: float
    pause_s: float = 0.1
    #: Unix time at which they begin
    begin_at: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Milliseconds of each request that succeeded, in no order, and what went wrong."""

    times_ms: list[float]
    errors: list[str]

    def quantile(self, share: float) -> float:
        """The time within which a share of the requests was answered; 0 without requests."""
        ordered = sorted(self.times_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


class Clients:
    """Clients in a process of their own, from its start."""

    def __init__(self, task: Task) -> None:
        command = [sys.executable, "-m", "benchmarks.load.client", json.dumps(asdict(task))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._limit_s = task.seconds + 3 * TIMEOUT_S

    def outcome(self) -> Outcome:
        """Waits until they are done."""
        try:
            out, _ = self._process.communicate(timeout=self._limit_s)
        finally:
            self._process.kill()
        return Outcome(**json.loads(out))

    def stop(self) -> None:
        """Ends them without an outcome."""
        self._process.kill()
        self._process.communicate()


def _request(task: Task, random: Random) -> tuple[str, str, str | None]:
    """Method, path and body."""
    if task.kind == "health":
        return "GET", "/healthz", None
    if task.kind == "recall":
        return "POST", f"/v1/banks/{task.bank}/recall", json.dumps({"query": texts.query(random)})
    body = json.dumps({"messages": [{"role": "user", "content": texts.message(random)}]})
    return "POST", f"/v1/banks/{task.bank}/messages", body


def run_client(task: Task, number: int, done: threading.Event | None = None) -> Outcome:
    """Runs one client until its time is over or `done` is set."""
    random, address = Random(f"{task.kind} {number}"), urlsplit(task.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    outcome = Outcome([], [])
    time.sleep(max(0.0, task.begin_at - time.time()) + random.random() * task.pause_s)
    end = time.perf_counter() + task.seconds
    while time.perf_counter() < end and not (done and done.is_set()):
        method, path, body = _request(task, random)
        started = time.perf_counter()
        try:
            connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            outcome.errors.append(repr(error))
            connection.close()
        else:
            if response.status < http.client.BAD_REQUEST:
                outcome.times_ms.append((time.perf_counter() - started) * 1e3)
            else:
                outcome.errors.append(f"{response.status}: {answer[:200].decode(errors='replace')}")
        time.sleep(task.pause_s)
    with suppress(OSError):
        connection.close()
    return outcome


def run(task: Task) -> Outcome:
    """Runs the clients of a task in threads."""
    with ThreadPoolExecutor(task.clients) as pool:
        outcomes = list(pool.map(lambda number: run_client(task, number), range(task.clients)))
    return Outcome(
        [time_ms for outcome in outcomes for time_ms in outcome.times_ms],
        [error for outcome in outcomes for error in outcome.errors],
    )


def main(arguments: Sequence[str]) -> None:
    sys.stdout.write(json.dumps(asdict(run(Task(**json.loads(arguments[0]))))))


if __name__ == "__main__":
    main(sys.argv[1:])
