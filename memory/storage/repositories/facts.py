"""Standing facts: where in messages they stand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.values.facts import KINDS, FactKind, MarkedClause

from .batches import sum_by_bank

_c = schema.facts.c
ROW_BYTES = 48  # of a row without its marks
#: Sizes of the rows of each bank, in bytes.
SIZES = [sum_by_bank(_c.bank_id, func.length(_c.marks) + ROW_BYTES)]


@dataclass(frozen=True)
class FactRow:
    """A clause of a message; see `schema.facts`."""

    message_id: int
    start: int
    stop: int
    kind: str | None
    changes: bool
    said_at: datetime
    marks: bytes
    pinned: bool
    closed_at: datetime | None
    closed_by: int | None

    @property
    def kind_known(self) -> FactKind:
        """Its kind. Raises `ValueError` for a clause that only says that something has changed."""
        for kind in KINDS:
            if kind == self.kind:
                return kind
        raise ValueError("the clause states nothing that holds")


_row = select(
    *(_c.message_id, _c.start, _c.stop, _c.kind, _c.changes, _c.said_at),
    *(_c.marks, _c.pinned, _c.closed_at, _c.closed_by),
)


def insert(
    connection: Connection, bank_id: int, clauses: Collection[tuple[int, datetime, Sequence[MarkedClause]]]
) -> None:
    """Inserts clauses of new messages, each message with its id and time."""
    rows = [
        {"bank_id": bank_id, "message_id": message_id, "said_at": at, "marks": marks, **clause._asdict()}
        for message_id, at, of_message in clauses
        for clause, marks in of_message
    ]
    if rows:
        connection.execute(schema.facts.insert(), rows)


def newest(connection: Connection, bank_id: int, until: datetime | None, limit: int) -> list[FactRow]:
    """Returns clauses, the pinned ones and at most `limit` others, the newest first. `until`: time of the newest."""
    query = _row.where(_c.bank_id == bank_id)
    if until is not None:
        query = query.where(_c.said_at <= until)
    order = (_c.said_at.desc(), _c.message_id.desc(), _c.start.desc())
    rows = [FactRow(**row._mapping) for row in connection.execute(query.order_by(*order).limit(limit))]
    keys = {(row.message_id, row.start) for row in rows}
    if len(rows) == limit:
        pinned = connection.execute(query.where(_c.pinned).order_by(*order).limit(limit))
        rows += [
            row for row in (FactRow(**of_row._mapping) for of_row in pinned) if (row.message_id, row.start) not in keys
        ]
    return rows


def find(connection: Connection, bank_id: int, message_id: int, start: int) -> FactRow | None:
    """Returns a clause; None if there is none."""
    query = _row.where(_c.bank_id == bank_id, _c.message_id == message_id, _c.start == start, _c.kind.is_not(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else FactRow(**row._mapping)


def change(connection: Connection, bank_id: int, message_id: int, start: int, **values: Any) -> bool:
    """Sets columns of a clause. Returns whether there is one."""
    of_clause = (_c.bank_id == bank_id, _c.message_id == message_id, _c.start == start)
    return bool(connection.execute(schema.facts.update().where(*of_clause).values(values)).rowcount)


def delete_of(connection: Connection, bank_id: int, ids: Collection[int]) -> None:
    """Deletes the clauses of messages."""
    connection.execute(schema.facts.delete().where(_c.bank_id == bank_id, columns.among(_c.message_id, sorted(ids))))
