"""Steps of warm calls: Python calls and SQL statements, which are to grow with what a verb does and not by accident."""

import pytest

from benchmarks.executed import measured


@pytest.mark.parametrize(
    ("verb", "calls", "statements"),
    [("store", 1_550, 10), ("recall", 19_500, 7), ("context", 26_000, 12), ("bank", 900, 7)],
)
def test_a_warm_call_takes_few_steps(verb: str, calls: int, statements: int) -> None:
    steps = measured(verb)
    assert steps.calls <= calls
    assert steps.statements <= statements
