"""Batches of values for IN (…) clauses."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MAX_VALUES = 500  # in one IN (…)


def batched(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yields `values` in runs of at most `MAX_VALUES`."""
    for start in range(0, len(values), MAX_VALUES):
        yield values[start : start + MAX_VALUES]
