"""`worker` while the wall clock steps: it goes on sealing, ageing and purging, during the wrong time and after it."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.command_line import start_anew
from support.databases import execute
from support.wall_clock import WallClock

from foxing.memory import Memory
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.skipif(sys.platform != "linux", reason="the clock is stepped by a library loaded before the others"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("words_alone")
def test_a_worker_goes_on_when_the_wall_clock_steps(database_url: str, tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    with Memory(database_url) as memory:

        def works(bank: str) -> None:
            """A message of nine days ago is sealed, ages at once, and what ageing dropped is purged."""
            memory.set_policy(
                bank,
                {
                    "seal_after": "P1D",
                    "steps": [{"after": "P2D", "tier": "tiny"}],
                    "keep_text": "until:large",
                    "undo_window": "PT1S",
                    "age_from": "message",
                },
            )
            sent = datetime.now(UTC) - timedelta(days=9)
            memory.store(bank, [{"role": "user", "content": "the delivery is late", "created_at": sent}])
            wait_until(lambda: [page.tier for page in memory.pages(bank).pages] == ["tiny"], f"{bank} sealed and aged")

        def purged() -> bool:
            query = "SELECT 1 FROM trash JOIN banks ON banks.id = bank_id WHERE name NOT LIKE 'meanwhile%'"
            return not execute(database_url, query)

        worker = start_anew("--database", database_url, "worker", FOXING_AGEING_INTERVAL_S="0.1", **clock.environment)
        try:
            works("before")
            for name, shift in {"back": timedelta(days=-3), "forward": timedelta(days=3653)}.items():
                clock.step(shift)
                works(f"meanwhile-{name}")
                clock.step(timedelta(0))
                works(f"after-{name}")
                wait_until(purged, "purged")
        finally:
            worker.terminate()
            _, log = worker.communicate(timeout=120)
    assert worker.returncode == 0, log
