"""Latency of a tenant beside one that sends ten times its limit, and CPU time of keys and limits.

`python -m benchmarks.tenants`: over SQLite. CPU time is that of service and callers, which share a process then.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory import Memory

from .load.processes import Service, checked

LIMITS = (2.0, 5.0, 20.0)  # requests a second of the tenant that exceeds them
EXCESS = 10
CALLS = 200  # of the other tenant a round, stores and recalls alike
ROUNDS = 3
STARTING_S = 60.0  # in which the load begins
OPERATOR = "benchmark"
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def store(self, number: int) -> int:
        """Stores a message and returns the status."""
        return self._client.post(f"{self._path}/messages", json=message(number)).status_code

    def recall(self, number: int) -> int:
        """Recalls a message and returns the status."""
        query = {"query": f"When does note {number} ship?", "limit": 5}
        return self._client.post(f"{self._path}/recall", json=query).status_code


def latencies(quiet: Caller, calls: int) -> dict[str, list[float]]:
    """Returns the seconds that stores and recalls take."""
    return {name: timed(call, calls) for name, call in verbs(quiet)}


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


def load(url: str, key: str, rate: float, refused: Any, stopping: Any, answers: Any) -> None:
    """Sends `rate` stores and recalls a second from `LOUD_THREADS` threads until `stopping`, whatever is answered.
    Sets `refused` at the first refusal. Puts status → number of answers into `answers`."""
    pause_s = LOUD_THREADS / rate

    def send(thread: int) -> Counter[int]:
        counts = Counter[int]()
        due = time.perf_counter()
        with Caller(url, key, "loud~bank") as caller:
            while not stopping.is_set():
                status = (caller.store if thread % 2 else caller.recall)(thread)
                counts[status] += 1
                if status == 429:
                    refused.set()
                due = max(due + pause_s, time.perf_counter() - pause_s)
                time.sleep(max(0.0, due - time.perf_counter()))
        return counts

    with ThreadPoolExecutor(LOUD_THREADS) as pool:
        answers.put(sum(pool.map(send, range(LOUD_THREADS)), Counter()))


def neighbours(folder: Path, limit: float, calls: int, rounds: int) -> dict[str, Any]:
    """Returns the latency of a tenant alone, and beside one that sends ten times its limit of requests a second, in
    turns. Service, load and the tenant are processes of their own."""
    spawn = multiprocessing.get_context("spawn")
    environment = {"FOXING_API_KEY": OPERATOR, "FOXING_LOG_LEVEL": "error"}
    times: dict[str, dict[str, list[float]]] = {"alone": {}, "beside": {}}
    answers = Counter[int]()
    with Service(folder, environment=environment) as service:
        url = service.url()
        with httpx.Client(base_url=f"{url}/v1", headers={"Authorization": f"Bearer {OPERATOR}"}) as operator:
            keys = {}
            for name in ("loud", "quiet"):
                created = operator.post("/keys", json={"name": name, "role": "admin", "tenant": name})
                keys[name] = checked(created).json()["key"]
            checked(operator.put("/tenants/loud/limits", json={"requests_per_s": limit}))
        with Caller(url, keys["quiet"], "quiet~bank") as quiet:
            latencies(quiet, calls)  # warms
            for _ in range(rounds):
                add(times["alone"], latencies(quiet, calls))
                refused, stopping, sent = spawn.Event(), spawn.Event(), spawn.Queue()
                loud = spawn.Process(target=load, args=(url, keys["loud"], limit * EXCESS, refused, stopping, sent))
                loud.start()
                refused.wait(STARTING_S)
                add(times["beside"], latencies(quiet, calls))
                stopping.set()
                answers += sent.get()
                loud.join()
    p99s = {name: {verb: round(1000 * p99(part), 2) for verb, part in of.items()} for name, of in times.items()}
    ratios = {verb: round(p99s["beside"][verb] / p99s["alone"][verb], 2) for verb in p99s["alone"]}
    return {"requests_per_s": limit, "p99_ms": p99s, "ratios": ratios, "answers_of_the_other": dict(answers)}


def add(times: dict[str, list[float]], addition: dict[str, list[float]]) -> None:
    """Adds times to those of the same name."""
    for name, part in addition.items():
        times.setdefault(name, []).extend(part)


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
            Caller(one.url, None, "bank") as plain_caller,
            Caller(two.url, key, "acme~bank") as limited_caller,
        ):
            callers = plain_caller, limited_caller
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
    parser.add_argument("--limits", type=float, nargs="*", default=LIMITS, help="requests a second")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    results: dict[str, Any] = {"neighbours": []}
    with tempfile.TemporaryDirectory() as folder:
        for number, limit in enumerate(options.limits):
            place = Path(folder, str(number))
            place.mkdir()
            results["neighbours"].append(neighbours(place, limit, options.calls, options.rounds))
        if options.pairs:
            results["cpu_with_keys_and_limits"] = overhead(Path(folder), options.pairs, CALLS_OF_PAIR)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
