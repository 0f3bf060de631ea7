"""SIGTERM in the middle of ageing."""

import time
from dataclasses import dataclass
from pathlib import Path

from .banks import BANK, database_path, make_due_pages
from .inspection import Inspection, inspect
from .processes import Service, checked, client

DIFFERENT = 40  # pages that differ; more only take longer to encode
TICK = {"FOXING_AGEING_INTERVAL_S": "1"}
WAIT_S = 120.0


@dataclass(frozen=True)
class Stop:
    """A service that is told to stop while it ages."""

    pages: int
    #: that had moved to a lower tier when it had ended, and some time after the next start
    moved: int
    moved_later: int
    seconds_to_exit: float
    #: leases on pages and jobs once it had ended
    leases: int
    faults: list[str]


def measure_stop(folder: Path, pages: int, different: int = DIFFERENT) -> Stop:
    """Starts a service over at least `pages` due pages, stops it once pages have moved, and starts it again."""
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
    """Serves until more than `moved` pages have moved, or none is left to move; returns how many seconds the exit takes
    after SIGTERM."""
    with Service(folder, environment=TICK) as service, client(service.url()) as connection:
        end = time.perf_counter() + WAIT_S
        while time.perf_counter() < end:
            tiers = checked(connection.get(f"/v1/banks/{BANK}")).json()["tiers"]
            if "base" not in tiers or sum(tier["pages"] for name, tier in tiers.items() if name != "base") > moved:
                return service.terminate()
            time.sleep(0.1)
    raise RuntimeError(f"no page moved within {WAIT_S:.0f} s; see {service.log_path}")
