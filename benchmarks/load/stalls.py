"""Stalls caused by the most expensive requests: latency of other requests meanwhile, and memory."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx

from foxing.api.memory_factory import open_memory
from foxing.api.settings import load_settings

from . import texts
from .banks import BANK, database_path
from .client import Outcome, Task, run
from .processes import Service, checked, client

PAUSE_S = 0.005  # between two requests to `/healthz`
MESSAGE_CHARS = 1_000_000
BODY_BYTES = 4 << 20  # the service's limit by default
REFUSED_BYTES = 16 << 20
LONG_MESSAGES = 24  # of `MESSAGE_CHARS` characters, requested together
ANSWER_S = 60.0  # timeout of a request
SETTLE_S = 20.0  # limit for background work that follows a response
NO_ANSWER = 0  # stands for a status

#: Settings of the service for requests of long messages: no background work.
_QUIET = {"FOXING_AGEING_ENABLED": "false", "FOXING_EMBEDDER": "none"}


@dataclass(frozen=True)
class Request:
    """An expensive request."""

    name: str
    path: str
    body: bytes


@dataclass(frozen=True)
class Stall:
    """One request, and its effect on the service."""

    request: str
    #: status of the response; 0 if there was none within `ANSWER_S`
    status: int
    seconds: float
    #: time until background work after the response was done, at most `SETTLE_S`
    settled_s: float
    #: maximum latency of `/healthz` until then
    longest_ms: float
    #: increase of resident memory at its peak
    memory_mib: float


@dataclass(frozen=True)
class Stalls:
    """Maximum stall and memory, and the results of each request."""

    longest_ms: float
    memory_mib: float
    requests: list[Stall]


def measure_stalls(folder: Path, requests: Sequence[str] = ()) -> Stalls:
    """Sends each of the requests alone, or only those named, while `/healthz` is polled. Returns the results."""
    wanted = [request for request in _requests() if not requests or request.name in requests]
    answers = [request for request in _answers() if not requests or request.name in requests]
    measured = []
    if wanted:
        with Service(folder) as service:
            measured += _measure(service, wanted)
    if answers:
        _store_long_messages(folder)
        with Service(folder, environment=_QUIET) as service:
            measured += _measure(service, answers)
    return Stalls(max(each.longest_ms for each in measured), max(each.memory_mib for each in measured), measured)


def _measure(service: Service, requests: Sequence[Request]) -> list[Stall]:
    with client(url := service.url(), timeout_s=ANSWER_S) as connection:
        checked(connection.get("/readyz"))  # loads the codec
        for text in ("first", "second"):  # warm-up of storing and recalling
            message = {"role": "user", "content": text}
            checked(connection.post("/v1/banks/first/messages", json={"messages": [message]}))
            checked(connection.post("/v1/banks/first/recall", json={"query": text}))
        service.wait_until_idle(SETTLE_S)
        return [_measured(service, url, connection, request) for request in requests]


def _measured(service: Service, url: str, connection: httpx.Client, request: Request) -> Stall:
    before, highest = service.memory_mib(), [0.0]
    done = threading.Event()
    outcomes: list[Outcome] = []
    asking = Task(url, "health", "first", 1, ANSWER_S + SETTLE_S + 60, PAUSE_S)
    watch = threading.Thread(target=lambda: outcomes.append(run(asking, done)))
    weigh = threading.Thread(target=_weigh, args=(service, highest, done))
    watch.start()
    weigh.start()
    started = time.perf_counter()
    status = _status(connection, request)
    seconds = time.perf_counter() - started
    settled_s = service.wait_until_idle(SETTLE_S)
    done.set()
    watch.join()
    weigh.join()
    longest_ms, memory_mib = outcomes[0].quantile(1), round(highest[0] - before, 1)
    return Stall(request.name, status, round(seconds, 2), round(settled_s, 2), longest_ms, memory_mib)


def _status(connection: httpx.Client, request: Request) -> int:
    """Reads the response to its end and returns its status."""
    headers = {"Content-Type": "application/json"}
    try:
        with connection.stream("POST", request.path, content=request.body, headers=headers) as response:
            for _ in response.iter_raw():
                pass
            return response.status_code
    except httpx.TimeoutException:
        return NO_ANSWER


def _weigh(service: Service, highest: list[float], done: threading.Event) -> None:
    while not done.is_set():
        highest[0] = max(highest[0], service.memory_mib())
        time.sleep(0.02)


def _store_long_messages(folder: Path) -> None:
    """Stores long messages in a new database."""
    database_path(folder).unlink(missing_ok=True)
    random = Random(4)
    settings = load_settings({"database_url": f"sqlite:///{database_path(folder)}", "embedder": "none"})
    with open_memory(settings) as memory:
        for _ in range(LONG_MESSAGES):
            memory.store(BANK, [{"role": "user", "content": texts.message(random, MESSAGE_CHARS)}])


def _answers() -> Iterator[Request]:
    """Requests whose responses are long."""
    bank = f"/v1/banks/{BANK}"
    yield Request("long messages", f"{bank}/recall", _json({"limit": 500}))
    beside = {"query": "what did people say", "limit": 500, "neighbours": 5}
    yield Request("passages of long messages, and their neighbours", f"{bank}/recall", _json(beside))
    budget = {"query": "what did people say", "limit": 500, "max_tokens": 1_000_000}
    yield Request("long messages within a large budget", f"{bank}/recall", _json(budget))
    prompt = {"reader": "text", "budget": 1_000_000, "query": "what did people say"}
    yield Request("context with long messages", f"{bank}/context", _json(prompt))


def _requests() -> Iterator[Request]:
    """Requests that are long themselves."""
    random = Random(3)
    store, recall = f"/v1/banks/{BANK}/messages", f"/v1/banks/{BANK}/recall"
    contents = {
        "a message of words": texts.message(random, MESSAGE_CHARS),
        "a message of underscores": "_" * MESSAGE_CHARS,
        "a message of spaces": " " * MESSAGE_CHARS,
        "a message of newlines": "\n" * MESSAGE_CHARS,
        "a message of one word": "a" * MESSAGE_CHARS,
        "a message in Chinese": "".join(chr(random.randrange(0x4E00, 0x9FA5)) for _ in range(MESSAGE_CHARS // 3)),
        "a message of numbers": ",".join(str(random.random()) for _ in range(MESSAGE_CHARS // 20)),
    }
    for name, content in contents.items():
        yield Request(name, store, _json({"messages": [{"role": "user", "content": content[:MESSAGE_CHARS]}]}))
    short = [{"role": "user", "content": texts.message(random, 60)} for _ in range(BODY_BYTES // 120)]
    for number in (1_000, len(short)):
        yield Request(f"{number:,} short messages", store, _json({"messages": short[:number]}))
    wrong = [{"role": "nobody", "content": 5}] * (BODY_BYTES // 40)
    yield Request(f"{len(wrong):,} invalid messages", store, _json({"messages": wrong}))
    yield Request("deep JSON", store, b"[" * (BODY_BYTES - 10))
    yield Request("16 MiB", store, b" " * REFUSED_BYTES)
    yield Request("a question of 10,000 characters", recall, _json({"query": texts.message(random, 10_000)}))
    yield Request("a question of one repeated phrase", recall, _json({"query": "last march " * 900}))
    yield Request("500 spans", recall, _json({"limit": 500}))
    yield Request("a long time expression", recall, _json({"query": "x", "since": "1 " * 5_000}))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
