"""Measures stores and searches of Foxing's service and of other stores behind the same requests, one after the other.

python -m benchmarks.stores --seconds 20
python -m benchmarks.stores --only foxing --seconds 60 --json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.baselines.extensions import NotInstalled
from benchmarks.command_line import add_json_option, at_least, show_rows, write_json
from benchmarks.load import texts
from benchmarks.load.banks import BANK
from benchmarks.load.client import ROOT, Clients, Task
from benchmarks.load.processes import Service, checked, client, processor_s, server_processor_s
from benchmarks.postgresql import PostgresServer

from .systems import PGVECTOR, SYSTEMS

FOXING = "foxing"
START_S = 2.0  # start-up time of the client process
IDLE_S, IDLE_SHARE = 1.5, 0.04  # a process that uses less of a processor for that long is idle
#: Sealing is measured apart.
SETTINGS = {"FOXING_AGEING_ENABLED": "false"}
WARM = 5  # searches before those that are measured


@dataclass(frozen=True)
class StoreRow:
    """Figures of a store. CPU times are those of its process."""

    store: str
    #: messages of 200 characters, one in each request
    stores_per_s: float
    store_p99_ms: float
    store_cpu_ms: float
    #: time after the last store until the process is idle, since Foxing embeds afterwards, and its CPU time for each
    #: message since the first
    caught_up_s: float
    whole_cpu_ms: float
    #: one caller, one question after the other
    search_ms: float
    search_cpu_ms: float
    errors: int


@contextmanager
def _served(name: str, folder: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """Serves a new store; yields its address, and the CPU seconds of its process, with those of PostgreSQL. Raises
    `NotInstalled`."""
    if name == FOXING:
        with Service(folder, environment=SETTINGS) as service:
            yield service.url(), service.processor_s
    elif name == PGVECTOR:
        folder.chmod(0o755)  # if this process runs as root, the server runs as another user
        try:
            server = PostgresServer(folder)
        except ImportError as error:
            raise NotInstalled(str(error)) from error
        with server, _served_here(name, folder) as (url, used):
            yield url, lambda: used() + (server_processor_s(server.url) or 0)
    else:
        with _served_here(name, folder) as served:
            yield served


@contextmanager
def _served_here(name: str, folder: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """Serves a store as `benchmarks.stores.server` does."""
    command = [sys.executable, "-m", "benchmarks.stores.server", name, str(folder)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} did not start: {(folder / 'server.log').read_text()[-2000:]}")
        started = json.loads(line)
        if "not_installed" in started:
            raise NotInstalled(started["not_installed"])
        yield started["url"], lambda: processor_s(process.pid)
    finally:
        process.kill()
        process.communicate()


def measured(name: str, seconds: float, callers: int, searches: int) -> StoreRow:
    """Returns the figures of a store in a new folder. Raises `NotInstalled`."""
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        _served(name, Path(folder)) as (url, processor),
        client(url) as requests,
    ):
        random = Random("stores")
        checked(requests.post(f"/v1/banks/{BANK}/messages", json=_stored(texts.message(random))))
        checked(requests.post(f"/v1/banks/{BANK}/recall", json={"query": texts.query(random)}))
        used, begin_at = processor(), time.time() + START_S
        outcome = Clients(Task(url, "store", BANK, callers, seconds, pause_s=0, begin_at=begin_at)).outcome()
        stored, ended = processor() - used, time.perf_counter()
        caught_up = _idle_at(processor) - ended
        embedded = processor() - used
        times = []
        for number in range(WARM + searches):
            if number == WARM:
                used = processor()
            asked = time.perf_counter()
            checked(requests.post(f"/v1/banks/{BANK}/recall", json=_question(name, texts.query(random))))
            times.append((time.perf_counter() - asked) * 1e3)
        searched = processor() - used
    count = max(1, len(outcome.times_ms))
    return StoreRow(
        store=name,
        stores_per_s=round(count / seconds, 1),
        store_p99_ms=outcome.quantile(0.99),
        store_cpu_ms=round(stored / count * 1e3, 2),
        caught_up_s=round(caught_up, 1),
        whole_cpu_ms=round(embedded / count * 1e3, 2),
        search_ms=round(sorted(times[WARM:])[searches // 2], 1),
        search_cpu_ms=round(searched / searches * 1e3, 1),
        errors=len(outcome.errors),
    )


def _stored(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _question(name: str, query: str) -> dict[str, Any]:
    return {"query": query, "limit": 10} if name == FOXING else {"query": query}


def _idle_at(processor: Callable[[], float]) -> float:
    """Waits until a store is idle; returns since when, by `time.perf_counter`. `processor`: the CPU seconds that it has
    used."""
    since, used = time.perf_counter(), processor()
    while time.perf_counter() - since < IDLE_S:
        time.sleep(0.1)
        now = processor()
        if now - used > IDLE_SHARE * (time.perf_counter() - since):
            since, used = time.perf_counter(), now
    return since


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=at_least(1), default=20, help="Duration of the stores (%(default)s).")
    parser.add_argument("--callers", type=at_least(1), default=25, help="Callers that store (%(default)s).")
    parser.add_argument("--searches", type=at_least(1), default=50, help="Questions (%(default)s).")
    parser.add_argument("--only", choices=(FOXING, *SYSTEMS), action="append", help="Only this store; repeatable.")
    add_json_option(parser)
    options = parser.parse_args()
    rows, left_out = [], {}
    for name in options.only or (FOXING, *SYSTEMS):
        try:
            rows.append(asdict(measured(name, options.seconds, options.callers, options.searches)))
        except NotInstalled as error:
            left_out[name] = str(error)
    if options.as_json:
        write_json({"rows": rows, "left_out": left_out})
        return
    show_rows(rows)
    for name, reason in left_out.items():
        print(f"{name} was not measured: {reason}")


if __name__ == "__main__":
    main()
