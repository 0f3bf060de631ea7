"""Shutdown by SIGTERM during ageing, under load."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from .banks import BANK, database_path, make_due_pages
from .inspection import Inspection, inspect
from .processes import Service, checked, client

DIFFERENT = 40  # distinct pages; more only take longer to encode
TICK = {"FOXING_AGEING_INTERVAL_S": "1"}
WAIT_S = 120.0
CLIENTS = 8
LINE = "The delivery is late again, and the customer asks when it comes. "


@dataclass(frozen=True)
class Stop:
    """A service that is stopped while it ages pages, and clients store and recall."""

    pages: int
    #: pages moved to a lower tier by the exit, and by the exit after the next start
    moved: int
    moved_later: int
    seconds_to_exit: float
    #: requests that were answered before
    requests: int
    #: leases on pages and jobs after the exits
    leases: int
    faults: list[str]


def measure_stop(folder: Path, pages: int, different: int = DIFFERENT) -> Stop:
    """Starts a service over at least `pages` due pages, stops it once pages have moved, and does so a second time.
    Returns the results."""
    make_due_pages(folder, pages, different)
    seconds, requests = _serve(folder, 0)
    ended = inspect(database_path(folder))
    _serve(folder, _moved(ended))
    later = inspect(database_path(folder))
    return Stop(
        pages=sum(ended.tiers.values()),
        moved=_moved(ended),
        moved_later=_moved(later),
        seconds_to_exit=round(seconds, 2),
        requests=requests,
        leases=ended.leases + later.leases,
        faults=[*ended.faults(), *later.faults()],
    )


def _moved(found: Inspection) -> int:
    return sum(found.tiers.values()) - found.tiers.get("base", 0)


def _call(url: str, number: int) -> int:
    """Stores and recalls in a bank until the service has ended; returns the number of answers."""
    with client(url) as connection, suppress(httpx.HTTPError):
        for count in itertools.count():
            body = {"messages": [{"role": "user", "content": f"Note {count} of client {number}: {LINE}"}]}
            if connection.post(f"/v1/banks/client-{number}/messages", json=body).is_error:
                return 2 * count
            connection.post(f"/v1/banks/{BANK}/recall", json={"query": f"note {count}"})
    return 2 * count


def _serve(folder: Path, moved: int) -> tuple[float, int]:
    """Serves until more than `moved` pages have moved or none is left to move; returns the seconds from SIGTERM to the
    exit, and the number of requests answered."""
    with (
        Service(folder, environment=TICK) as service,
        client(service.url()) as connection,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        calls = [pool.submit(_call, str(connection.base_url), number) for number in range(CLIENTS)]
        end = time.perf_counter() + WAIT_S
        while time.perf_counter() < end:
            tiers = checked(connection.get(f"/v1/banks/{BANK}")).json()["tiers"]
            if "base" not in tiers or sum(tier["pages"] for name, tier in tiers.items() if name != "base") > moved:
                seconds = service.terminate()
                return seconds, sum(call.result() for call in calls)
            time.sleep(0.1)
        service.kill()  # which ends the clients
    raise RuntimeError(f"no page moved within {WAIT_S:.0f} s; see {service.log_path}")
