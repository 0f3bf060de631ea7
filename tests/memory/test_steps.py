"""Steps of warm calls: Python calls and SQL statements, which are to grow with what a verb does and not by accident."""

import pytest

from benchmarks.executed import measured

#: Verb → most Python calls, and SQL statements. In this order: a verb finds what those before it have cached.
BOUNDS = {"store": (1_800, 13), "recall": (14_000, 6), "context": (21_000, 11), "bank": (900, 7)}


@pytest.mark.slow
def test_a_warm_call_takes_few_steps() -> None:
    steps = {verb: measured(verb) for verb in BOUNDS}
    figures = {verb: (of_verb.calls, of_verb.statements) for verb, of_verb in steps.items()}
    assert all(calls <= BOUNDS[verb][0] for verb, (calls, _) in figures.items()), figures
    assert all(statements <= BOUNDS[verb][1] for verb, (_, statements) in figures.items()), figures
