"""Starts services and workers on due pages, and counts how often each page was aged."""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.command_line import Advance
from benchmarks.load.banks import make_due_pages, place_of
from benchmarks.load.processes import FoxingProcess, Service
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

ENVIRONMENT = {"FOXING_AGEING_INTERVAL_S": "1", "FOXING_EMBEDDER": "none", "OMP_NUM_THREADS": "1"}
WITHIN_S = 3_600.0
PAUSE_S = 0.5
ENDS_WITHIN_S = 120.0  # limit for the jobs after the last page
DIFFERENT = 40  # distinct pages per bank; more only take longer to create


@dataclass(frozen=True)
class Replicas:
    """State of the pages at the end. Every process has a scheduler and a worker."""

    database: str
    services: int
    workers: int
    banks: int
    pages: int
    #: pages whose version increased by one, as after ageing once
    aged_once: int
    #: pages with any other version
    aged_otherwise: int
    #: trash entries, one per ageing written, and the number of distinct pages in them
    dropped: int
    dropped_pages: int
    #: moved pages reported in the logs of all processes, and number of processes that report any
    reported: int
    processes_with_work: int
    #: leases on pages and jobs at the end
    leases: int
    #: from the first moved page to the last
    seconds: float
    pages_per_s: float


@dataclass(frozen=True)
class Fleet:
    """Numbers of processes, banks and pages."""

    services: int
    workers: int
    banks: int
    pages: int


def measure_replicas(
    folder: Path, fleet: Fleet, database: str | None = None, progress: Advance | None = None
) -> Replicas:
    """Creates the pages, starts all processes at once, waits until no page is due, and returns the counts."""
    make_due_pages(folder, fleet.pages, DIFFERENT, banks=fleet.banks, database=database)
    place = place_of(folder, database)
    with Database(place) as opened, ExitStack() as stack:
        total = _count(opened).pages
        logs = _start(folder, fleet, database, stack)
        seconds = _wait(opened, total, progress)
        _wait_for_jobs(opened)
        reported = [_moved(log) for log in logs]
        found = _count(opened)
    return Replicas(
        database=place.partition("://")[0],
        services=fleet.services,
        workers=fleet.workers,
        banks=fleet.banks,
        pages=found.pages,
        aged_once=found.versions.get(2, 0),
        aged_otherwise=found.pages - found.versions.get(2, 0),
        dropped=found.dropped,
        dropped_pages=found.dropped_pages,
        reported=sum(reported),
        processes_with_work=sum(number > 0 for number in reported),
        leases=found.leases,
        seconds=round(seconds, 1),
        pages_per_s=round(found.pages / seconds, 1) if seconds else 0.0,
    )


@dataclass(frozen=True)
class _Counts:
    """Counts in a database."""

    pages: int
    #: version → pages
    versions: Mapping[int, int]
    dropped: int
    dropped_pages: int
    leases: int

    @property
    def moved(self) -> int:
        return sum(number for version, number in self.versions.items() if version > 1)


def _start(folder: Path, fleet: Fleet, database: str | None, stack: ExitStack) -> list[Path]:
    """Starts the processes, each with its own folder for the log; returns the paths of the logs."""
    logs = []
    for number in range(fleet.services + fleet.workers):
        own = folder / f"process-{number}"
        own.mkdir()
        place = database or str(folder / "bench.db")
        if number < fleet.services:
            process: FoxingProcess = Service(own, environment=ENVIRONMENT, database=place)
        else:
            process = FoxingProcess(own, "worker", environment=ENVIRONMENT, database=place)
        logs.append(stack.enter_context(process).log_path)
    return logs


def _wait(database: Database, total: int, progress: Advance | None) -> float:
    """Seconds from the first moved page to the last. Raises `RuntimeError` if that takes too long."""
    end, first = time.perf_counter() + WITHIN_S, 0.0
    while time.perf_counter() < end:
        moved = _count(database).moved
        if moved and not first:
            first = time.perf_counter()
        if progress is not None:
            progress(moved, total)
        if moved == total:
            return time.perf_counter() - first
        time.sleep(PAUSE_S)
    raise RuntimeError(f"{_count(database).moved} of {total} pages were moved within {WITHIN_S:.0f} s")


def _wait_for_jobs(database: Database) -> None:
    """Waits until the jobs of the last pages are done, which is when they are logged."""
    end = time.perf_counter() + ENDS_WITHIN_S
    while time.perf_counter() < end and _count(database).leases:
        time.sleep(PAUSE_S)
    time.sleep(2 * PAUSE_S)


def _count(database: Database) -> _Counts:
    page, trash, job = schema.pages.c, schema.trash.c, schema.jobs.c
    with database.read() as connection:
        versions = {v: n for v, n in connection.execute(select(page.version, func.count()).group_by(page.version))}
        dropped = connection.execute(select(func.count(), func.count(func.distinct(trash.page_id)))).one()
        leased = [
            connection.scalar(select(func.count()).where(column.is_not(None))) or 0
            for column in (page.lease_until, job.lease_until)
        ]
    return _Counts(sum(versions.values()), versions, *dropped, sum(leased))


def _moved(log: Path) -> int:
    """Moved pages that a process reports in its log."""
    events = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:  # a warning of a library
            continue
    return sum(int(event.get("moved_pages", 0)) for event in events if event.get("event") == "job")
