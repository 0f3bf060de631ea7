"""Measured queue lag: pages become due one after another, and worker processes age them."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean

from sqlalchemy import select, update

from benchmarks.command_line import Advance
from benchmarks.load.banks import place_of
from benchmarks.load.processes import FoxingProcess
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

from .costs import make_page_banks
from .simulation import Machines, evenly, quantile, simulate

INTERVAL_S = 1.0
BEFORE = timedelta(seconds=2)  # time until the first page becomes due
WARMING = 60  # warm-up pages per worker; one becomes due every `WARMING_PAUSE_S` while the workers start
WARMING_PAUSE_S = 0.5
WITHIN_S = 1_200.0
PAUSE_S = 0.2
AGE = timedelta(days=7)  # at which the default policy moves a page


@dataclass(frozen=True)
class Lag:
    """Seconds from when a page became due until it was aged, measured and simulated."""

    workers: int
    pages: int
    pages_per_s: float
    p50_s: float
    p95_s: float
    #: simulated with the job lengths of the workers
    simulated_p50_s: float
    simulated_p95_s: float
    #: simulated with the lengths of jobs timed alone
    planned_p50_s: float
    planned_p95_s: float
    #: mean job length of the workers, and of jobs timed alone
    job_s: float
    planned_job_s: float


def measure_lag(
    folder: Path, workers: int, load: tuple[int, float], job_s: Sequence[float], database: str | None = None
) -> Lag:
    """Runs `workers` workers and returns their lag. `load`: number of pages, each in a bank of its own, and how many
    become due per second. `job_s`: lengths of jobs timed alone."""
    pages, rate = load
    seconds = pages / rate
    run = _run(folder, workers, pages, seconds, database)
    due = evenly(pages, seconds, pages)
    simulated = simulate(Machines(workers, INTERVAL_S, run.job_s), due)
    planned = simulate(Machines(workers, INTERVAL_S, job_s), due)
    return Lag(
        workers=workers,
        pages=pages,
        pages_per_s=round(rate, 2),
        p50_s=quantile(run.lags_s, 0.5),
        p95_s=quantile(run.lags_s, 0.95),
        simulated_p50_s=quantile(simulated, 0.5),
        simulated_p95_s=quantile(simulated, 0.95),
        planned_p50_s=quantile(planned, 0.5),
        planned_p95_s=quantile(planned, 0.95),
        job_s=round(fmean(run.job_s), 3),
        planned_job_s=round(fmean(job_s), 3),
    )


@dataclass(frozen=True)
class _Measured:
    """Measurements of the workers."""

    lags_s: list[float]
    #: job lengths, except the first of each worker
    job_s: list[float]


def _run(folder: Path, workers: int, pages: int, seconds: float, database: str | None) -> _Measured:
    """Starts the workers, waits until each has done a first job, which loads the codec, and then lets the pages become
    due."""
    place = place_of(folder, database)
    make_page_banks(place, WARMING * workers + pages)
    environment = {"FOXING_AGEING_INTERVAL_S": str(INTERVAL_S), "FOXING_EMBEDDER": "none", "OMP_NUM_THREADS": "1"}
    with Database(place) as opened, ExitStack() as stack:
        ids = _clear(opened)
        warming, measured = ids[: WARMING * workers], ids[WARMING * workers :]
        _make_due(opened, warming, datetime.now(UTC), WARMING * workers * WARMING_PAUSE_S)
        processes = []
        for number in range(workers):
            own = folder / f"worker-{number}"
            own.mkdir()
            process = FoxingProcess(own, "worker", environment=environment, database=place)
            processes.append(stack.enter_context(process))
        _wait_for_jobs(processes)
        _clear(opened)  # drops the remaining warm-up pages
        lags = _watch(opened, _make_due(opened, measured, datetime.now(UTC) + BEFORE, seconds))
        return _Measured(list(lags.values()), [length for process in processes for length in _jobs(process)[1:]])


def _jobs(process: FoxingProcess) -> list[float]:
    """Seconds of the jobs of one page that a worker has logged."""
    lines = process.log_path.read_text(encoding="utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.startswith("{"))
    return [e["duration_ms"] / 1000 for e in events if e.get("event") == "job" and e.get("moved_pages") == 1]


def _wait_for_jobs(processes: Sequence[FoxingProcess]) -> None:
    end = time.perf_counter() + WITHIN_S
    while not all('"event": "job"' in process.log_path.read_text(encoding="utf-8") for process in processes):
        if time.perf_counter() > end:
            raise RuntimeError("some workers have not completed a job")
        time.sleep(PAUSE_S)


def _clear(database: Database) -> list[int]:
    """Clears the schedule; returns the ids of all pages, one per bank."""
    with database.write() as connection:
        connection.execute(schema.jobs.delete())
        connection.execute(update(schema.schedule).values(due_at=None, codec=None))
        return list(connection.execute(select(schema.pages.c.id).order_by(schema.pages.c.id)).scalars())


def _make_due(database: Database, ids: Sequence[int], start: datetime, seconds: float) -> dict[int, datetime]:
    """Schedules the pages to become due one after another from `start` on; returns page id → time."""
    page, scheduled = schema.pages, schema.schedule
    result = {i: start + timedelta(seconds=seconds * number / len(ids)) for number, i in enumerate(ids)}
    with database.write() as connection:
        for page_id, at in result.items():
            times = dict.fromkeys(("first_at", "last_at", "arrived_at"), at - AGE)
            connection.execute(update(page).where(page.c.id == page_id).values(times))
            bank = select(page.c.bank_id).where(page.c.id == page_id).scalar_subquery()
            of_bank = update(scheduled).where(scheduled.c.bank_id == bank, scheduled.c.kind == "age")
            connection.execute(of_bank.values(due_at=at, codec="native"))
    return result


def _watch(database: Database, due: Mapping[int, datetime], progress: Advance | None = None) -> dict[int, float]:
    """Page id → seconds from when it became due until its new version was first seen."""
    page, lags = schema.pages.c, dict[int, float]()
    end = time.perf_counter() + WITHIN_S
    while len(lags) < len(due):
        if time.perf_counter() > end:
            raise RuntimeError(f"{len(lags)} of {len(due)} pages were aged within {WITHIN_S:.0f} s")
        time.sleep(PAUSE_S)
        with database.read() as connection:
            moved = connection.execute(select(page.id).where(page.version > 1)).scalars().all()
        now = datetime.now(UTC)
        lags |= {i: (now - due[i]).total_seconds() for i in moved if i in due and i not in lags}
        if progress is not None:
            progress(len(lags), len(due))
    return lags
