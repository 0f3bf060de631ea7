"""Requests that take the most: how long the service stands still for each, and what memory it takes."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from . import texts
from .client import Outcome, Task, run_client
from .processes import Service, checked, client

PAUSE_S = 0.005  # between two questions for `/healthz`
MESSAGE_CHARS = 1_000_000
BODY_BYTES = 4 << 20  # the service's limit by default
REFUSED_BYTES = 16 << 20
SETTLE_S = 2.0  # after a request, in which what follows it is done


@dataclass(frozen=True)
class Standstill:
    """One request, and the service meanwhile."""

    request: str
    #: of its answer
    status: int
    seconds: float
    #: the longest that `/healthz` took while the request ran
    longest_ms: float
    #: resident memory at most, above what it was before
    memory_mib: float


@dataclass(frozen=True)
class Standstills:
    """The longest and the largest, and each."""

    longest_ms: float
    memory_mib: float
    requests: list[Standstill]


def measure_standstill(folder: Path) -> Standstills:
    """Sends each of the requests alone, and asks for `/healthz` all the while."""
    with Service(folder) as service:
        url = service.url()
        with client(url, timeout_s=600) as connection:
            for text in ("first", "second"):  # loads what the first messages and questions load
                message = {"role": "user", "content": text}
                checked(connection.post("/v1/banks/bench/messages", json={"messages": [message]}))
                checked(connection.post("/v1/banks/bench/recall", json={"query": text}))
            time.sleep(SETTLE_S)
            measured = [_measured(service, url, connection, name, path, body) for name, path, body in _requests()]
    return Standstills(max(each.longest_ms for each in measured), max(each.memory_mib for each in measured), measured)


def _measured(service: Service, url: str, connection: Any, name: str, path: str, body: bytes) -> Standstill:
    before, highest = service.memory_mib(), [0.0]
    done = threading.Event()
    outcomes: list[Outcome] = []
    asking = Task(url, "health", "bench", 1, 900, PAUSE_S)
    watch = threading.Thread(target=lambda: outcomes.append(run_client(asking, 0, done)))
    weigh = threading.Thread(target=_weigh, args=(service, highest, done))
    watch.start()
    weigh.start()
    started = time.perf_counter()
    response = connection.post(path, content=body, headers={"Content-Type": "application/json"})
    seconds = time.perf_counter() - started
    time.sleep(SETTLE_S)
    done.set()
    watch.join()
    weigh.join()
    return Standstill(
        name, response.status_code, round(seconds, 2), outcomes[0].quantile(1), round(highest[0] - before, 1)
    )


def _weigh(service: Service, highest: list[float], done: threading.Event) -> None:
    while not done.is_set():
        highest[0] = max(highest[0], service.memory_mib())
        time.sleep(0.02)


def _requests() -> Iterator[tuple[str, str, bytes]]:
    """Name, path and body of each."""
    random = Random(3)
    store, recall = "/v1/banks/bench/messages", "/v1/banks/bench/recall"
    contents = {
        "a message of words": texts.message(random, MESSAGE_CHARS),
        "a message of underscores": "_" * MESSAGE_CHARS,
        "a message of blanks": " " * MESSAGE_CHARS,
        "a message of line ends": "\n" * MESSAGE_CHARS,
        "a message of one word": "a" * MESSAGE_CHARS,
        "a message of Chinese": "".join(chr(random.randrange(0x4E00, 0x9FA5)) for _ in range(MESSAGE_CHARS // 3)),
        "a message of numbers": ",".join(str(random.random()) for _ in range(MESSAGE_CHARS // 20)),
    }
    for name, content in contents.items():
        yield name, store, _json({"messages": [{"role": "user", "content": content[:MESSAGE_CHARS]}]})
    short = [{"role": "user", "content": texts.message(random, 60)} for _ in range(BODY_BYTES // 120)]
    for number in (1_000, len(short)):
        yield f"{number:,} short messages", store, _json({"messages": short[:number]})
    wrong = [{"role": "nobody", "content": 5}] * (BODY_BYTES // 40)
    yield f"{len(wrong):,} invalid messages", store, _json({"messages": wrong})
    yield "deep JSON", store, b"[" * (BODY_BYTES - 10)
    yield "16 MiB", store, b" " * REFUSED_BYTES
    yield "a question of 10,000 characters", recall, _json({"query": texts.message(random, 10_000)})
    yield "a question of the same word", recall, _json({"query": "last march " * 900})
    yield "500 spans", recall, _json({"limit": 500})
    yield "a long time", recall, _json({"query": "x", "since": "1 " * 5_000})


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
