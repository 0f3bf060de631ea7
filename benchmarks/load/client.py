"""Clients of the service in a separate process, so that no other work holds the interpreter lock while they are timed.

python -m benchmarks.load.client '{"url": "http://127.0.0.1:8765", "kind": "store", "bank": "b", "clients": 25}'
"""

import http.client
import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random
from threading import Event
from typing import Literal
from urllib.parse import urlsplit

from . import texts

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0
PREPARED = 2_000  # messages reused by the clients of a process: creating one takes as long as sending it
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """Work of the clients of one process."""

    url: str
    kind: Literal["store", "recall", "health"]
    bank: str
    clients: int
    seconds: float
    pause_s: float = 0.1
    #: Unix time of the start
    begin_at: float = 0.0
    #: messages per store request
    messages: int = 1
    #: banks `bank-0`, `bank-1` and so on that the clients share out; `bank` itself if 1
    banks: int = 1


@dataclass(frozen=True)
class Outcome:
    """Latencies in ms of the successful requests, in no order, and the errors of the others."""

    times_ms: list[float]
    errors: list[str]
    #: CPU seconds of the client process
    processor_s: float = 0.0

    def quantile(self, share: float) -> float:
        """Returns the latency in ms within which `share` of the requests were answered; 0 without requests."""
        ordered = sorted(self.times_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


class Clients:
    """A process of clients, started on construction."""

    def __init__(self, task: Task) -> None:
        command = [sys.executable, "-m", "benchmarks.load.client", json.dumps(asdict(task))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._limit_s = task.seconds + 3 * TIMEOUT_S

    def outcome(self) -> Outcome:
        """Waits until the clients are done and returns their outcome."""
        try:
            out, _ = self._process.communicate(timeout=self._limit_s)
        finally:
            self._process.kill()
        return Outcome(**json.loads(out))

    def stop(self) -> None:
        """Kills the process."""
        self._process.kill()
        self._process.communicate()


@cache
def _prepared() -> list[bytes]:
    random = Random("messages")
    return [json.dumps({"role": "user", "content": texts.message(random)}).encode() for _ in range(PREPARED)]


def _request(task: Task, random: Random, number: int) -> tuple[str, str, bytes | None]:
    """Method, path and body of a client with this number."""
    bank = task.bank if task.banks == 1 else f"{task.bank}-{number % task.banks}"
    if task.kind == "health":
        return "GET", "/healthz", None
    if task.kind == "recall":
        return "POST", f"/v1/banks/{bank}/recall", json.dumps({"query": texts.query(random)}).encode()
    messages = b",".join(random.choices(_prepared(), k=task.messages))
    return "POST", f"/v1/banks/{bank}/messages", b'{"messages": [%b]}' % messages


class _Client:
    """One of the clients that share a thread."""

    def __init__(self, task: Task, number: int, outcome: Outcome) -> None:
        self._task = task
        self._number = number
        self._random = Random(f"{task.kind} {number}")
        self._outcome = outcome
        self._socket: socket.socket | None = None
        self._received = b""
        self._sent_at = 0.0
        #: Time of the next request, by `time.perf_counter`.
        self.next_at = time.perf_counter() + self._random.random() * task.pause_s
        self.waits = False

    def send(self, selector: selectors.BaseSelector) -> None:
        """Sends the next request."""
        address = urlsplit(self._task.url)
        method, path, body = _request(self._task, self._random, self._number)
        head = f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        self._sent_at, self._received, self.waits = time.perf_counter(), b"", True
        try:
            if self._socket is None:
                place = (address.hostname or "", address.port or 80)
                self._socket = socket.create_connection(place, timeout=TIMEOUT_S)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(self._socket, selectors.EVENT_READ, self)
            self._socket.sendall(head.encode() + b"\r\n" + (body or b""))
        except OSError as error:
            self.fail(repr(error), selector)

    def receive(self, selector: selectors.BaseSelector) -> None:
        """Reads the available part of the response, and records the latency when the response is complete."""
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 18)
        except OSError as error:
            self.fail(repr(error), selector)
            return
        if not data:
            self.fail("the connection was closed before the response", selector)
            return
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or (length and len(body) < int(length[1])):
            return
        now = time.perf_counter()
        if int(head[9:12]) < http.client.BAD_REQUEST:
            self._outcome.times_ms.append((now - self._sent_at) * 1e3)
        else:
            self._outcome.errors.append(f"{head[9:12].decode()}: {body[:200].decode(errors='replace')}")
        self.next_at, self.waits = now + self._task.pause_s, False

    def fail(self, reason: str, selector: selectors.BaseSelector) -> None:
        """Records an error and closes the connection."""
        self._outcome.errors.append(reason)
        if self._socket is not None:
            with suppress(KeyError):
                selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
        self.next_at, self.waits = time.perf_counter() + max(self._task.pause_s, 0.01), False


def run(task: Task, done: Event | None = None) -> Outcome:
    """Runs the clients of a task in one thread, which takes less CPU time from the service than a thread per client,
    until its time is over or `done` is set. Returns their outcome."""
    _prepared()
    time.sleep(max(0.0, task.begin_at - time.time()))
    outcome = Outcome([], [])
    clients = [_Client(task, number, outcome) for number in range(task.clients)]
    end, used = time.perf_counter() + task.seconds, time.process_time()
    with selectors.DefaultSelector() as selector:
        while (now := time.perf_counter()) < end or any(client.waits for client in clients):
            if done is not None and done.is_set():
                end = min(end, now)
            for client in clients:
                if not client.waits and client.next_at <= now < end:
                    client.send(selector)
            if now > end + TIMEOUT_S:
                waiting = [client for client in clients if client.waits]
                for client in waiting:
                    client.fail(f"no response within {TIMEOUT_S:g} s", selector)
            due = min((client.next_at for client in clients if not client.waits), default=end + TIMEOUT_S)
            for key, _ in selector.select(max(0.0, min(due, now + 1.0) - now) if now < end else 1.0):
                key.data.receive(selector)
    return Outcome(outcome.times_ms, outcome.errors, round(time.process_time() - used, 3))


def main(arguments: Sequence[str]) -> None:
    """Runs the task given as JSON, and writes the outcome to stdout as JSON."""
    sys.stdout.write(json.dumps(asdict(run(Task(**json.loads(arguments[0]))))))


if __name__ == "__main__":
    main(sys.argv[1:])
