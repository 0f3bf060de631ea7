"""Cost of each step on one core: CPU time of a message, a page and a recall, and bytes stored."""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx

from benchmarks.command_line import Advance
from benchmarks.load import texts
from benchmarks.load.processes import Service, checked, client
from foxing.api.memory_factory import open_memory
from foxing.api.settings import load_settings
from foxing.memory import Memory

BANK = "bench"
CALL = 100  # messages stored together where storing itself is not measured
DAY = timedelta(days=1)
#: Age of pages when they are measured at each tier of the default policy.
AGES = {"small": 8 * DAY, "tiny": 40 * DAY, "micro": 400 * DAY}


@dataclass(frozen=True)
class Costs:
    """CPU seconds on one core, and bytes. Messages have 200 characters and are stored one per call."""

    messages: int
    pages: int
    messages_per_page: float
    #: per message: the service over HTTP, and the memory in process, embedding included
    store_http_s: float
    store_s: float
    seal_s_per_page: float
    #: tier → seconds per page aged there from the tier before
    age_s_per_page: dict[str, float]
    recall_s: float
    #: tier → bytes per message that the database keeps: tokens, index, embedding, metadata
    bytes_per_message: dict[str, float]
    #: in the trash during the undo window
    trash_bytes_per_message: float
    #: wall-clock seconds of jobs that age one page of one bank, in ascending order
    job_s: list[float] = field(default_factory=list)


@dataclass
class _Timer:
    seconds: float = 0.0


@contextmanager
def _processor_time() -> Iterator[_Timer]:
    timer, started = _Timer(), time.process_time()
    yield timer
    timer.seconds = time.process_time() - started


def measure_costs(folder: Path, messages: int, jobs: int, progress: Advance | None = None) -> Costs:
    """Measures with a new bank of `messages` messages on SQLite, and `jobs` banks of one page each. Returns the
    costs."""
    start = datetime.now(UTC) - 401 * DAY
    settings = load_settings({"database_url": str(folder / "bench.db")})
    random, report = Random(0), _Report(progress, 7)
    with open_memory(settings) as memory:
        memory.set_policy(BANK, {"age_from": "message"})
        memory.store(BANK, [{"role": "user", "content": texts.message(random), "created_at": start}])
        _ = memory.codec
        memory.recall(BANK, texts.query(random))  # warm-up
        with _processor_time() as storing:
            for number in range(messages):
                at = start + timedelta(seconds=number)
                memory.store(BANK, [{"role": "user", "content": texts.message(random), "created_at": at}])
        report.step()
        with _processor_time() as sealing:
            pages = len(memory.seal(BANK, now=start + DAY).pages)
        report.step()
        sizes, ageing, dropped = _age(memory, start, pages, messages, report)
        with _processor_time() as recalling:
            for _ in range(20):
                memory.recall(BANK, texts.query(random))
    return Costs(
        messages=messages,
        pages=pages,
        messages_per_page=round(messages / pages, 1),
        store_http_s=round(_service_s(folder), 6),
        store_s=round(storing.seconds / messages, 6),
        seal_s_per_page=round(sealing.seconds / pages, 5),
        age_s_per_page=ageing,
        recall_s=round(recalling.seconds / 20, 5),
        bytes_per_message=sizes,
        trash_bytes_per_message=round(dropped, 1),
        job_s=measure_jobs(folder, jobs),
    )


@dataclass
class _Report:
    progress: Advance | None
    total: int
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def _age(
    memory: Memory, start: datetime, pages: int, messages: int, report: _Report
) -> tuple[dict[str, float], dict[str, float], float]:
    """Bytes per message and seconds per page by tier, and the peak bytes per message in the trash."""
    sizes = {"base": _kept(memory, messages)}
    seconds: dict[str, float] = {}
    dropped = 0.0
    for tier, age in AGES.items():
        with _processor_time() as ageing:
            moved = len(memory.age(BANK, now=start + age).moved)
        seconds[tier] = round(ageing.seconds / max(1, moved), 5)
        dropped = max(dropped, memory.bank(BANK).bytes.trash / messages)
        sizes[tier] = _kept(memory, messages)
        report.step()
    return sizes, seconds, dropped


def _kept(memory: Memory, messages: int) -> float:
    held = memory.bank(BANK).bytes
    return round((held.total - held.trash) / messages, 1)


def _service_s(folder: Path, requests: int = 300) -> float:
    """CPU seconds of a service per store, without start and stop."""
    own = folder / "service"
    own.mkdir()
    few, many = (_serve(own, number) for number in (20, 20 + requests))
    return max(0.0, (many - few) / requests)


def _serve(folder: Path, requests: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Service(folder, environment={"FOXING_AGEING_ENABLED": "false"}) as service:
        with client(service.url()) as connection:
            _store(connection, requests)
        service.terminate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _store(connection: httpx.Client, requests: int) -> None:
    random = Random(1)
    for _ in range(requests):
        message = {"role": "user", "content": texts.message(random)}
        checked(connection.post(f"/v1/banks/{BANK}/messages", json={"messages": [message]}))


def measure_jobs(folder: Path, jobs: int) -> list[float]:
    """Returns the wall-clock seconds of each of `jobs` jobs, in ascending order."""
    place = str(folder / "jobs.db")
    now = datetime.now(UTC)
    make_page_banks(place, jobs)
    times: list[float] = []
    with open_memory(load_settings({"database_url": place})) as memory:
        _ = memory.codec
        memory.jobs.fill(now)
        while True:
            started = time.perf_counter()
            result = memory.jobs.work(now)
            if result is None:
                return sorted(round(taken, 4) for taken in times[1:])  # the first one includes warm-up
            if result.moved_pages:
                times.append(time.perf_counter() - started)


def make_page_banks(place: str, banks: int) -> None:
    """Creates banks with one full page each, slightly older than a week, so that each is due once."""
    random, at = Random(2), datetime.now(UTC) - timedelta(days=7, minutes=5)
    with open_memory(load_settings({"database_url": place})) as memory:
        for bank in range(banks):
            contents = [texts.message(random) for _ in range(16)]
            memory.store(f"bank-{bank}", [{"role": "user", "content": text, "created_at": at} for text in contents])
            memory.seal(f"bank-{bank}", now=at)


def costs_from(text: str) -> Costs:
    """Returns the costs in the output of `--only costs --json`."""
    return Costs(**json.loads(text)["costs"])
