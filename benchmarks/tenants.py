"""Latency of a tenant beside one that sends ten times its limit, and CPU time of keys and limits.

`python -m benchmarks.tenants`: service and callers share this process, over SQLite; CPU time is that of both.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory import Memory

LIMIT = 20.0  # requests a second of the tenant that exceeds it
EXCESS = 10
CALLS = 200  # of the other tenant, stores and recalls alike
LOUD_THREADS = 8
PAIRS = 20
CALLS_OF_PAIR = 60


def message(number: int) -> dict[str, Any]:
    """Returns the body of a store."""
    return {"messages": [{"role": "user", "content": f"note {number}: Titan ships on {number % 28 + 1} March"}]}


def p99(times: list[float]) -> float:
    """Returns the 99th percentile."""
    return sorted(times)[int(len(times) * 0.99) - 1]


class Caller:
    """A caller of a service, in one bank."""

    def __init__(self, url: str, key: str | None, bank: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {key}"} if key else {})
        self._path = f"/v1/banks/{bank}"

    def store(self, number: int) -> int:
        """Stores a message and returns the status."""
        return self._client.post(f"{self._path}/messages", json=message(number)).status_code

    def recall(self, number: int) -> int:
        """Recalls a message and returns the status."""
        query = {"query": f"When does note {number} ship?", "limit": 5}
        return self._client.post(f"{self._path}/recall", json=query).status_code


def latencies(quiet: Caller, calls: int) -> dict[str, float]:
    """Returns the p99 of stores and recalls in ms."""
    return {name: round(1000 * p99(timed(call, calls)), 2) for name, call in verbs(quiet)}


def verbs(caller: Caller) -> list[tuple[str, Callable[[int], int]]]:
    """Returns the calls of a caller by name."""
    return [("store", caller.store), ("recall", caller.recall)]


def timed(call: Callable[[int], int], calls: int) -> list[float]:
    """Returns the seconds that each call takes."""
    times = []
    for number in range(calls):
        started = time.perf_counter()
        assert call(number) < 300
        times.append(time.perf_counter() - started)
        time.sleep(0.005)
    return times


def load(url: str, key: str, stopping: Event, thread: int) -> dict[int, int]:
    """Sends this thread's part of ten times the limit until `stopping`. Returns status → number of answers."""
    caller = Caller(url, key, "loud~bank")
    counts: dict[int, int] = {}
    pause_s = LOUD_THREADS / (LIMIT * EXCESS)
    due = time.perf_counter()
    while not stopping.is_set():
        status = (caller.store if thread % 2 else caller.recall)(thread)
        counts[status] = counts.get(status, 0) + 1
        due = max(due + pause_s, time.perf_counter() - pause_s)
        time.sleep(max(0.0, due - time.perf_counter()))
    return counts


def neighbours(folder: Path, calls: int) -> dict[str, Any]:
    """Returns the latency of a tenant alone, and beside one at ten times its limit."""
    with Memory(folder / "neighbours.db") as memory:
        keys = {
            name: memory.operations.keys.create({"name": name, "role": "admin", "tenant": name}).key
            for name in ("loud", "quiet")
        }
        memory.operations.limits.set("loud", {"requests_per_s": LIMIT})
        app = create_app(load_settings({"ageing_enabled": False, "log_level": "error"}), memory)
        with BackgroundServer(app) as server:
            quiet = Caller(server.url, keys["quiet"], "quiet~bank")
            latencies(quiet, calls // 4)  # warms
            alone = latencies(quiet, calls)
            stopping = Event()
            with ThreadPoolExecutor(LOUD_THREADS) as pool:
                loads = [pool.submit(load, server.url, keys["loud"], stopping, n) for n in range(LOUD_THREADS)]
                loaded_ms = latencies(quiet, calls)
                stopping.set()
            answers: dict[int, int] = {}
            for part in loads:
                for status, number in part.result().items():
                    answers[status] = answers.get(status, 0) + number
    ratios = {name: round(loaded_ms[name] / alone[name], 2) for name in alone}
    return {"p99_ms_alone": alone, "p99_ms_beside": loaded_ms, "ratios": ratios, "answers_of_the_other": answers}


def overhead(folder: Path, pairs: int, calls: int) -> dict[str, float]:
    """Returns CPU time with a key and limits over that without, for stores and recalls: medians of pairs, in turns."""
    ratios: dict[str, list[float]] = {"store": [], "recall": []}
    with Memory(folder / "plain.db") as plain, Memory(folder / "limited.db") as limited:
        key = limited.operations.keys.create({"name": "n", "role": "admin", "tenant": "acme"}).key
        limited.operations.limits.set(
            "acme",
            {"requests_per_s": 100_000, "recalls_at_once": 100, "messages_per_day": 10**9, "bytes_per_day": 10**12},
        )
        settings = load_settings({"ageing_enabled": False, "log_level": "error"})
        with (
            BackgroundServer(create_app(settings, plain)) as one,
            BackgroundServer(create_app(settings, limited)) as two,
        ):
            callers = Caller(one.url, None, "bank"), Caller(two.url, key, "acme~bank")
            for pair in range(-2, pairs):
                for name in ratios:
                    times = {}
                    for side in (0, 1) if pair % 2 else (1, 0):
                        call = dict(verbs(callers[side]))[name]
                        started = time.process_time()
                        for number in range(calls):
                            assert call(number) < 300
                        times[side] = time.process_time() - started
                    if pair >= 0:
                        ratios[name].append(times[1] / times[0])
    return {name: round(statistics.median(values), 3) for name, values in ratios.items()}


def main() -> None:
    """Prints both measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(
            json.dumps(
                {
                    "neighbours": neighbours(Path(folder), options.calls),
                    "cpu_with_keys_and_limits": overhead(Path(folder), options.pairs, CALLS_OF_PAIR),
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
