"""Odd strings through every tier: nothing is shown that was not said, unless it is flagged or a gap."""

from datetime import UTC, datetime

import pytest

from benchmarks.odd_strings.measurement import START, is_silent, measure
from benchmarks.odd_strings.strings import odd_strings
from foxing.memory import Memory, MemoryOptions, RecalledMessage

#: 20,000 in `python -m benchmarks.odd_strings`.
STRINGS = 100


def shown(text: str, gaps: tuple[int, ...] = (), uncertain: tuple[tuple[int, int, float], ...] = ()) -> RecalledMessage:
    return RecalledMessage.model_construct(
        message_id="m", created_at=datetime(2026, 1, 1, tzinfo=UTC), text=text, gaps=list(gaps), uncertain=uncertain
    )


@pytest.mark.parametrize(
    ("said", "read", "silent"),
    [
        ("pay $92.43 now.", shown("pay $92.43 now."), False),
        ("pay $92.43 now.", shown("pay $92.43 now"), False),
        ("pay $92.43 now.", shown("pay $9243 now."), True),
        ("pay $92.43 now.", shown("pay $9243 now.", uncertain=((5, 9, 0.1),)), False),
        ("pay $92.43 now.", shown("⋯ $92.43 ⋯", (0, 9)), False),
        ("pay $92.43 now.", shown("⋯ #92.43 ⋯", (0, 9), ((2, 3, 0.1),)), False),
        ("pay $92.43 now.", shown("⋯ $92.43", (0,)), True),
        ("pay $92.43 now.", shown("⋯ $9243 ⋯", (0, 8)), True),
        ("pay $92.43 now.", shown("pay ⋯", (4,)), False),
        ("pay $92.43 now.", shown("pay ⋯ pay", (4,)), True),
        ("pay $92.43 now.", shown("pay ⋯ now.", ()), True),
        ("", shown(""), False),
        ("", shown("x"), True),
        ("x", shown(""), True),
    ],
)
def test_a_silent_difference_is_seen(said: str, read: RecalledMessage, silent: bool) -> None:
    assert is_silent(said, read) is silent


def test_odd_strings_have_no_silent_differences(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START, options=MemoryOptions(embedder="none")) as memory:
        found = measure(memory, list(odd_strings(STRINGS, seed=29)))
    assert {name: way.examples for name, way in found.items() if way.silent} == {}
    assert found["base, message"].strings > STRINGS
    assert found["micro, message"].faded > STRINGS // 2
