"""Measuring the service: how long storing one message over HTTP takes."""

import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory.models import Value

SENTENCE = "We agreed that message {} goes out on Friday, after the figures of March have been looked at again."


class StoreSpeed(Value):
    """Milliseconds of `POST /v1/banks/{bank}/messages` with one message, one client, on SQLite."""

    requests: int
    p50_ms: float
    p95_ms: float
    max_ms: float


def bench_store(folder: Path, requests: int, progress: Callable[[int, int], None] | None = None) -> StoreSpeed:
    """Serves a new database in `folder` on the loopback interface and stores `requests` messages one after another."""
    settings = load_settings({"database_url": f"sqlite:///{folder / 'bench.db'}", "log_level": "ERROR"})
    times: list[float] = []
    with BackgroundServer(create_app(settings)) as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port)
        for number in range(requests + 1):
            body = json.dumps({"messages": [{"role": "user", "content": SENTENCE.format(number)}]})
            begun = time.perf_counter()
            connection.request(
                "POST", "/v1/banks/bench/messages", body=body, headers={"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            answer = response.read()
            times.append((time.perf_counter() - begun) * 1e3)
            if response.status != http.client.CREATED:
                raise RuntimeError(f"the service answered {response.status}: {answer.decode(errors='replace')}")
            if progress is not None:
                progress(number, requests)
        connection.close()
    times = sorted(times[1:])  # the first one makes the bank
    return StoreSpeed(
        requests=requests,
        p50_ms=round(median(times), 2),
        p95_ms=round(times[int(0.95 * (len(times) - 1))], 2),
        max_ms=round(times[-1], 2),
    )
