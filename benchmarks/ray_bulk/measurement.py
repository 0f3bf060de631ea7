"""Runs `foxing age` with and without Ray on due pages, kills an actor halfway, and counts how often each page was
aged."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.command_line import Advance
from benchmarks.load.banks import BANK, database_path, make_due_pages, place_of
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

ENVIRONMENT = {"FOXING_EMBEDDER": "none"}
PAUSE_S = 0.1
DIFFERENT = 40  # distinct pages; more only take longer to create
ACTOR = "ray::MapWorker"  # name of an actor's process


@dataclass(frozen=True)
class RayBulk:
    """Times of both runs, and the state of the pages after the run with Ray."""

    database: str
    pages: int
    actors: int
    #: duration of the whole command, its start included
    one_process_s: float
    ray_s: float
    #: `one_process_s` ÷ `ray_s`
    speedup: float
    #: from the first batch written to the last
    one_process_pages_per_s: float
    ray_pages_per_s: float
    #: ratio of these rates
    speedup_once_started: float
    #: actors killed, and pages aged before
    killed: int
    killed_after: int
    #: pages whose version increased by one, as after ageing once
    aged_once: int
    #: pages with any other version
    aged_otherwise: int
    #: trash entries, one per ageing written, and the number of distinct pages in them
    dropped: int
    dropped_pages: int
    #: leases on pages at the end
    leases: int


@dataclass(frozen=True)
class _Run:
    """A command that aged all pages."""

    seconds: float
    pages_per_s: float


@dataclass(frozen=True)
class _Counts:
    """Counts in a database."""

    pages: int
    #: pages aged once, and not at all
    once: int
    unmoved: int
    dropped: int
    dropped_pages: int
    leases: int

    @property
    def moved(self) -> int:
        return self.pages - self.unmoved


@dataclass
class _Killer:
    """Kills one actor of a command once `after` pages are aged."""

    after: int
    #: actors killed, and pages aged by then
    killed: int = 0
    at: int = 0

    def look(self, process: int, moved: int) -> None:
        """Kills an actor if enough pages are aged. `process`: process id of the command."""
        if self.killed or moved < self.after:
            return
        actors = [pid for pid, name in _descendants(process) if name.startswith(ACTOR)]
        if actors:
            os.kill(actors[0], signal.SIGKILL)
            self.killed, self.at = 1, moved


def measure_ray(
    folder: Path, pages: int, actors: int, databases: Sequence[str] = (), progress: Advance | None = None
) -> RayBulk:
    """Creates due pages and ages them with one process, and a copy of them with Ray. Returns times and counts.
    `databases`: URLs of two empty databases, by default files in `folder`. Raises `RuntimeError` if a command fails."""
    places = _prepare(folder, pages, databases)
    with Database(places[0]) as opened:
        one = _run(folder, places[0], opened, progress=progress)
    with Database(places[1]) as opened:
        killer = _Killer(after=_count(opened).pages // 2)
        ray = _run(folder, places[1], opened, "--ray", "--actors", str(actors), killer=killer, progress=progress)
        found = _count(opened)
    return RayBulk(
        database=places[0].partition("://")[0],
        pages=found.pages,
        actors=actors,
        one_process_s=round(one.seconds, 1),
        ray_s=round(ray.seconds, 1),
        speedup=round(one.seconds / ray.seconds, 2),
        one_process_pages_per_s=round(one.pages_per_s, 2),
        ray_pages_per_s=round(ray.pages_per_s, 2),
        speedup_once_started=round(ray.pages_per_s / one.pages_per_s, 2) if one.pages_per_s else 0.0,
        killed=killer.killed,
        killed_after=killer.at,
        aged_once=found.once,
        aged_otherwise=found.pages - found.once,
        dropped=found.dropped,
        dropped_pages=found.dropped_pages,
        leases=found.leases,
    )


def _prepare(folder: Path, pages: int, databases: Sequence[str]) -> list[str]:
    """Creates two databases with the same number of due pages; returns their URLs."""
    if databases:
        for url in databases:
            make_due_pages(folder, pages, DIFFERENT, database=url)
        return list(databases)
    make_due_pages(folder, pages, DIFFERENT)
    copy = folder / "copy"
    copy.mkdir()
    database_path(copy).write_bytes(database_path(folder).read_bytes())
    return [place_of(folder), place_of(copy)]


def _run(
    folder: Path,
    place: str,
    database: Database,
    *options: str,
    killer: _Killer | None = None,
    progress: Advance | None = None,
) -> _Run:
    """Runs `foxing age` with these options until it ends."""
    command = [sys.executable, "-m", "foxing.api.cli.main", "--database", place, "age", "--bank", BANK, "--json"]
    started, seen = time.perf_counter(), list[tuple[float, int]]()
    with (folder / "age.log").open("w") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=os.environ | ENVIRONMENT)
        try:
            while process.poll() is None:
                counts = _count(database)
                if not seen or seen[-1][1] != counts.moved:
                    seen.append((time.perf_counter(), counts.moved))
                if killer is not None:
                    killer.look(process.pid, counts.moved)
                if progress is not None:
                    progress(counts.moved, counts.pages)
                time.sleep(PAUSE_S)
        finally:
            process.kill()
            process.wait()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"foxing age failed: {(folder / 'age.log').read_text(errors='replace')[-2000:]}")
    return _Run(seconds, _rate([point for point in seen if point[1]]))


def _rate(seen: Sequence[tuple[float, int]]) -> float:
    """Pages per second after the first ones written; 0 if unknown."""
    if len(seen) < 2:
        return 0.0
    (first, before), (last, after) = seen[0], seen[-1]
    return (after - before) / (last - first)


def _count(database: Database) -> _Counts:
    page, trash = schema.pages.c, schema.trash.c
    with database.read() as connection:
        versions = {v: n for v, n in connection.execute(select(page.version, func.count()).group_by(page.version))}
        dropped = connection.execute(select(func.count(), func.count(func.distinct(trash.page_id)))).one()
        leases = connection.scalar(select(func.count()).where(page.lease_until.is_not(None))) or 0
    return _Counts(sum(versions.values()), versions.get(2, 0), versions.get(1, 0), *dropped, leases)


def _descendants(process: int) -> list[tuple[int, str]]:
    """Process id and command of all descendants of a process."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    found, new = list[tuple[int, str]](), {process}
    while new:
        children = [(int(row[0]), row[2]) for row in rows if len(row) == 3 and int(row[1]) in new]
        found += children
        new = {pid for pid, _ in children}
    return found
