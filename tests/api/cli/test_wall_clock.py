"""`worker` while the wall clock steps: it goes on sealing, ageing and purging, during the wrong time and after it."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.command_line import start_anew
from support.databases import execute
from support.wall_clock import WallClock

from foxing.memory import Memory

WAIT_S = 120.0

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.skipif(sys.platform != "linux", reason="the clock is stepped by a library loaded before the others"),
]


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [timedelta(days=-3), timedelta(days=3653)], ids=["back", "forward"])
def test_a_worker_goes_on_when_the_wall_clock_steps(database_url: str, tmp_path: Path, shift: timedelta) -> None:
    clock = WallClock(tmp_path)
    with Memory(database_url) as memory:

        def works(bank: str, days: int) -> None:
            """A message of so many days ago is sealed, ages at once, and what ageing dropped is purged."""
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
            sent = datetime.now(UTC) - timedelta(days=days)
            memory.store(bank, [{"role": "user", "content": "the delivery is late", "created_at": sent}])
            eventually(lambda: [page.tier for page in memory.pages(bank).pages] == ["tiny"], f"{bank} sealed and aged")

        worker = start_anew("--database", database_url, "worker", FOXING_AGEING_INTERVAL_S="0.1", **clock.environment)
        try:
            works("before", 9)
            clock.step(shift)
            works("meanwhile", 9)
            clock.step(timedelta(0))
            works("after", 9)
            eventually(
                lambda: (
                    not execute(
                        database_url,
                        "SELECT 1 FROM trash JOIN banks ON banks.id = bank_id WHERE name IN ('before', 'after')",
                    )
                ),
                "purged",
            )
        finally:
            worker.terminate()
            _, log = worker.communicate(timeout=120)
    assert worker.returncode == 0, log
