"""Shutdown by SIGTERM during ageing."""

import time
from dataclasses import dataclass
from pathlib import Path

from .banks import BANK, database_path, make_due_pages
from .inspection import Inspection, inspect
from .processes import Service, checked, client

DIFFERENT = 40  # distinct pages; more only take longer to encode
TICK = {"FOXING_AGEING_INTERVAL_S": "1"}
WAIT_S = 120.0


@dataclass(frozen=True)
class Stop:
    """A service that is stopped while it ages pages."""

    pages: int
    #: pages moved to a lower tier by the exit, and by the exit after the next start
    moved: int
    moved_later: int
    seconds_to_exit: float
    #: leases on pages and jobs after the exits
    leases: int
    faults: list[str]


def measure_stop(folder: Path, pages: int, different: int = DIFFERENT) -> Stop:
    """Starts a service over at least `pages` due pages, stops it once pages have moved, and does so a second time.
    Returns the results."""
    make_due_pages(folder, pages, different)
    seconds = _serve(folder, 0)
    ended = inspect(database_path(folder))
    _serve(folder, _moved(ended))
    later = inspect(database_path(folder))
    return Stop(
        pages=sum(ended.tiers.values()),
        moved=_moved(ended),
        moved_later=_moved(later),
        seconds_to_exit=round(seconds, 2),
        leases=ended.leases + later.leases,
        faults=[*ended.faults(), *later.faults()],
    )


def _moved(found: Inspection) -> int:
    return sum(found.tiers.values()) - found.tiers.get("base", 0)


def _serve(folder: Path, moved: int) -> float:
    """Serves until more than `moved` pages have moved or none is left to move; returns the seconds from SIGTERM to the
    exit."""
    with Service(folder, environment=TICK) as service, client(service.url()) as connection:
        end = time.perf_counter() + WAIT_S
        while time.perf_counter() < end:
            tiers = checked(connection.get(f"/v1/banks/{BANK}")).json()["tiers"]
            if "base" not in tiers or sum(tier["pages"] for name, tier in tiers.items() if name != "base") > moved:
                return service.terminate()
            time.sleep(0.1)
    raise RuntimeError(f"no page moved within {WAIT_S:.0f} s; see {service.log_path}")
