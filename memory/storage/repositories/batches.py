"""Batches of values for IN (…) clauses, and sums by bank."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, func, select

from foxing.memory.storage import columns

T = TypeVar("T")

MAX_VALUES = 500  # in one IN (…)


def batched(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yields `values` in runs of at most `MAX_VALUES`."""
    for start in range(0, len(values), MAX_VALUES):
        yield values[start : start + MAX_VALUES]


def sums_by_bank(
    connection: Connection, bank: ColumnElement[int], value: ColumnElement[Any], bank_ids: Sequence[int]
) -> Counter[int]:
    """Returns bank id → sum of `value` over the rows of these banks. `bank`: the column with the bank of a row."""
    return grouped_by_bank(connection, select(bank, func.coalesce(func.sum(value), 0)), bank, bank_ids)


def counts_by_bank(connection: Connection, bank: ColumnElement[int], bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → number of the rows of these banks; see `sums_by_bank`."""
    return grouped_by_bank(connection, select(bank, func.count()), bank, bank_ids)


def grouped_by_bank(
    connection: Connection, query: Select[Any, Any], bank: ColumnElement[int], bank_ids: Sequence[int]
) -> Counter[int]:
    """Returns bank id → value of a query of both, which is grouped by bank."""
    found = Counter[int]()
    for part in batched(bank_ids):
        for bank_id, value in connection.execute(query.where(columns.among(bank, part)).group_by(bank)):
            found[bank_id] = int(value)
    return found
