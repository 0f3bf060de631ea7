"""The trial of killed ways in loses and doubles nothing in a short run."""

import pytest

from benchmarks.entry_kills import WAYS, run

pytestmark = pytest.mark.slow


def test_turns_are_stored_once_although_their_ways_are_killed() -> None:
    report = run(list(WAYS), kills=1, turns=8, down_s=1.0, seed=3)
    assert (report.kills >= len(WAYS), report.lost, report.doubled) == (True, 0, 0)
