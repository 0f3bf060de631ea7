"""Batches of values for IN (…) clauses, and sums by bank."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, select

from foxing.memory.storage import columns

T = TypeVar("T")

MAX_VALUES = 500  # in one IN (…)


def batched(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yields `values` in runs of at most `MAX_VALUES`."""
    for start in range(0, len(values), MAX_VALUES):
        yield values[start : start + MAX_VALUES]


def sum_by_bank(
    bank: ColumnElement[int], value: ColumnElement[Any], *where: ColumnElement[bool], source: FromClause | None = None
) -> Select[Any]:
    """Returns a query for the sum of `value` over the rows of each of the banks `ids` that has any, to be built once:
    building it takes longer than executing it. `bank`: the column with the bank of a row; `source`: a join."""
    query = select(bank.label("bank"), func.coalesce(func.sum(value), 0).label("total"))
    query = query if source is None else query.select_from(source)
    return query.where(columns.is_given(bank), *where).group_by(bank)


def totals_by_bank(
    connection: Connection, query: Select[Any], bank_ids: Sequence[int], **parameters: object
) -> Counter[int]:
    """Returns bank id → total, of a query made by `sum_by_bank`. `parameters`: others of its conditions."""
    rows = connection.execute(query, {"ids": bank_ids, **parameters})
    return Counter({bank: int(total) for bank, total in rows})
