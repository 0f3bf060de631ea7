"""Queue lag for real: pages become due one after the other, and worker processes age them."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from benchmarks.command_line import Advance
from benchmarks.load.banks import place_of
from benchmarks.load.processes import FoxingProcess
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

from .costs import make_page_banks
from .simulation import Machines, evenly, quantile, simulate

INTERVAL_S = 1.0
STARTS_S = 20.0  # in which worker processes start and load the codec
WITHIN_S = 1_200.0
PAUSE_S = 0.2
AGE = timedelta(days=7)  # at which the default policy has a page moved


@dataclass(frozen=True)
class Lag:
    """Seconds from when a page became due to when it was aged, measured and simulated."""

    workers: int
    pages: int
    pages_per_s: float
    p50_s: float
    p95_s: float
    simulated_p50_s: float
    simulated_p95_s: float


def measure_lag(
    folder: Path, workers: int, load: tuple[int, float], job_s: Sequence[float], database: str | None = None
) -> Lag:
    """`load`: how many pages, and how many of them become due in a second, each in a bank of its own."""
    pages, rate = load
    seconds = pages / rate
    lags = list(_run(folder, workers, pages, seconds, database).values())
    simulated = simulate(Machines(workers, INTERVAL_S, job_s), evenly(pages, seconds, pages))
    return Lag(
        workers=workers,
        pages=pages,
        pages_per_s=round(rate, 2),
        p50_s=quantile(lags, 0.5),
        p95_s=quantile(lags, 0.95),
        simulated_p50_s=quantile(simulated, 0.5),
        simulated_p95_s=quantile(simulated, 0.95),
    )


def _run(folder: Path, workers: int, pages: int, seconds: float, database: str | None) -> dict[int, float]:
    """Page id → its lag."""
    place = place_of(folder, database)
    make_page_banks(place, pages)
    environment = {"FOXING_AGEING_INTERVAL_S": str(INTERVAL_S), "FOXING_EMBEDDER": "none", "OMP_NUM_THREADS": "1"}
    with Database(place) as opened, ExitStack() as stack:
        due = _make_due(opened, datetime.now(UTC) + timedelta(seconds=STARTS_S), seconds)
        for number in range(workers):
            own = folder / f"worker-{number}"
            own.mkdir()
            stack.enter_context(FoxingProcess(own, "worker", environment=environment, database=place))
        return _watch(opened, due)


def _make_due(database: Database, start: datetime, seconds: float) -> dict[int, datetime]:
    """Has the pages become due one after the other from `start` on; page id → when."""
    page, scheduled, job = schema.pages, schema.schedule, schema.jobs
    result: dict[int, datetime] = {}
    with database.write() as connection:
        connection.execute(job.delete())
        rows = connection.execute(select(page.c.id, page.c.bank_id).order_by(page.c.id)).all()
        for number, row in enumerate(rows):
            at = start + timedelta(seconds=seconds * number / len(rows))
            connection.execute(update(page).where(page.c.id == row.id).values(first_at=at - AGE, last_at=at - AGE))
            of_bank = update(scheduled).where(scheduled.c.bank_id == row.bank_id)
            connection.execute(of_bank.where(scheduled.c.kind == "age").values(due_at=at, codec="native"))
            connection.execute(of_bank.where(scheduled.c.kind != "age").values(due_at=None, codec=None))
            result[row.id] = at
    return result


def _watch(database: Database, due: Mapping[int, datetime], progress: Advance | None = None) -> dict[int, float]:
    """Page id → seconds from when it became due to when its new version was first seen."""
    page, lags = schema.pages.c, dict[int, float]()
    end = time.perf_counter() + WITHIN_S
    while len(lags) < len(due):
        if time.perf_counter() > end:
            raise RuntimeError(f"{len(lags)} of {len(due)} pages were aged within {WITHIN_S:.0f} s")
        time.sleep(PAUSE_S)
        with database.read() as connection:
            moved = connection.execute(select(page.id).where(page.version > 1)).scalars().all()
        now = datetime.now(UTC)
        lags |= {i: (now - due[i]).total_seconds() for i in moved if i not in lags}
        if progress is not None:
            progress(len(lags), len(due))
    return lags
