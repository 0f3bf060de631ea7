"""Measures the latency of storing one message over HTTP.

python -m benchmarks.service --requests 500 --json
"""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings

from .command_line import Advance, command, measuring, write_result

SENTENCE = "We agreed that message {} goes out on Friday, after the figures of March have been looked at again."


@dataclass(frozen=True)
class StoreSpeed:
    """Latency in ms of `POST /v1/banks/{bank}/messages` with one message, from one client, on SQLite."""

    requests: int
    p50_ms: float
    p95_ms: float
    max_ms: float


def measure_store(folder: Path, requests: int, progress: Advance | None = None) -> StoreSpeed:
    """Serves a new database in `folder` on the loopback interface, stores `requests` messages one after another, and
    returns the latencies."""
    settings = load_settings({"database_url": f"sqlite:///{folder / 'bench.db'}", "log_level": "ERROR"})
    times_ms: list[float] = []
    with BackgroundServer(create_app(settings)) as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port)
        for number in range(requests + 1):
            times_ms.append(_store_ms(connection, SENTENCE.format(number)))
            if progress is not None:
                progress(number, requests)
        connection.close()
    times_ms = sorted(times_ms[1:])  # the first one creates the bank
    return StoreSpeed(
        requests=requests,
        p50_ms=round(median(times_ms), 2),
        p95_ms=round(times_ms[int(0.95 * (len(times_ms) - 1))], 2),
        max_ms=round(times_ms[-1], 2),
    )


def _store_ms(connection: http.client.HTTPConnection, content: str) -> float:
    body = json.dumps({"messages": [{"role": "user", "content": content}]})
    start = time.perf_counter()
    connection.request("POST", "/v1/banks/bench/messages", body=body, headers={"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    elapsed_ms = (time.perf_counter() - start) * 1e3
    if response.status != http.client.CREATED:
        raise RuntimeError(f"the service answered {response.status}: {answer.decode(errors='replace')}")
    return elapsed_ms


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    options = command(
        "service",
        "Measure the latency of storing one message over HTTP, on a new SQLite database.",
        ("requests", 10, 500, "Messages to store"),
    ).parse_args(arguments)
    with measuring("storing") as (folder, progress):
        result = measure_store(folder, options.requests, progress)
    write_result(options, result)


if __name__ == "__main__":
    main()
