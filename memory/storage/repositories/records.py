"""Records: exact values by namespace and key."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Connection, Text, cast, func, or_, select

from foxing.memory.storage import columns, schema

from .batches import batched

#: Namespace and key.
Address = tuple[tuple[str, ...], str]

_c = schema.records.c
_END = "\x1f"  # of a label; no label holds a control character
EXPIRED_AT_ONCE = 200
#: Bytes of a row besides its texts, with its entries in the indexes.
RECORD_ROW_BYTES = 120


@dataclass(frozen=True)
class RecordRow:
    """A record as stored."""

    id: int
    namespace: tuple[str, ...]
    key: str
    #: JSON.
    value: str
    #: What a search by words looks at; None for all strings of the value.
    text: str | None
    ordinal: int
    version: int
    created_at: datetime
    updated_at: datetime
    ttl_s: float | None
    expires_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or self.expires_at > now


class NewRecord(TypedDict):
    """Columns of a record to insert."""

    bank_id: int
    namespace: tuple[str, ...]
    key: str
    value: str
    text: str | None
    ordinal: int
    version: int
    created_at: datetime
    updated_at: datetime
    ttl_s: float | None
    expires_at: datetime | None


class ChangedRecord(TypedDict):
    """Columns of a record that change when it is stored again."""

    value: str
    text: str | None
    version: int
    updated_at: datetime
    ttl_s: float | None
    expires_at: datetime | None


@dataclass(frozen=True)
class Within:
    """The records of a bank that are alive, in a namespace and, unless `exact`, those below it."""

    bank_id: int
    namespace: tuple[str, ...]
    exact: bool
    now: datetime

    def conditions(self) -> list[ColumnElement[bool]]:
        return [_c.bank_id == self.bank_id, _alive(self.now), *_inside(self.namespace, self.exact)]


def encoded(namespace: Sequence[str]) -> str:
    """A namespace as one text."""
    return "".join(label + _END for label in namespace)


def decoded(namespace: str) -> tuple[str, ...]:
    return tuple(namespace.split(_END)[:-1])


def _alive(now: datetime) -> ColumnElement[bool]:
    return or_(_c.expires_at.is_(None), _c.expires_at > now)


def _inside(namespace: Sequence[str], exact: bool) -> list[ColumnElement[bool]]:
    text = encoded(namespace)
    if exact:
        return [_c.namespace == text]
    # every text that begins with `text`, by range: U+001F is followed by U+0020
    return [_c.namespace >= text, _c.namespace < text[:-1] + "\x20"] if text else []


_select = select(
    _c.id,
    _c.namespace,
    _c.key,
    _c.value,
    _c.text,
    _c.ordinal,
    _c.version,
    _c.created_at,
    _c.updated_at,
    _c.ttl_s,
    _c.expires_at,
)


def _row(row: Any) -> RecordRow:
    return RecordRow(row.id, decoded(row.namespace), *row[2:])


def reserve_versions(connection: Connection, bank_id: int, number: int) -> int:
    """The number before the first of `number` versions that no record of the bank has had, higher than all others."""
    c = schema.banks.c
    increment = schema.banks.update().where(c.id == bank_id).values(records_version=c.records_version + number)
    return int(connection.execute(increment.returning(c.records_version)).scalar_one()) - number


def find_many(connection: Connection, bank_id: int, addresses: Iterable[Address]) -> dict[Address, RecordRow]:
    """Namespace and key → record, expired or not, for those that exist."""
    keys: dict[tuple[str, ...], list[str]] = {}
    for namespace, key in addresses:
        keys.setdefault(namespace, []).append(key)
    result: dict[Address, RecordRow] = {}
    for namespace, wanted in keys.items():
        for part in batched(wanted):
            query = _select.where(_c.bank_id == bank_id, _c.namespace == encoded(namespace), _c.key.in_(part))
            result |= {(namespace, row.key): _row(row) for row in connection.execute(query)}
    return result


def insert(connection: Connection, row: NewRecord) -> RecordRow:
    """Inserts a record; as it is stored."""
    done = connection.execute(schema.records.insert().values({**row, "namespace": encoded(row["namespace"])}))
    key = done.inserted_primary_key
    assert key is not None
    return RecordRow(key[0], **{name: value for name, value in row.items() if name != "bank_id"})  # type: ignore[arg-type]


def replace(connection: Connection, record_id: int, row: ChangedRecord) -> None:
    connection.execute(schema.records.update().where(_c.id == record_id).values(dict(row)))


def delete(connection: Connection, record_id: int) -> None:
    connection.execute(schema.records.delete().where(_c.id == record_id))


def clear(connection: Connection, within: Within) -> int:
    """Deletes the records; how many there were."""
    return connection.execute(schema.records.delete().where(*within.conditions())).rowcount


def has_expired(connection: Connection, now: datetime) -> bool:
    """Whether there is a record, in any bank, that has expired."""
    return connection.execute(select(_c.id).where(_c.expires_at <= now).limit(1)).first() is not None


def delete_expired(connection: Connection, now: datetime) -> int:
    """Deletes some of the records of any bank that have expired; how many. Whoever writes a record deletes more than it
    adds, so that none of them takes long."""
    old = select(_c.id).where(_c.expires_at <= now).order_by(_c.expires_at).limit(EXPIRED_AT_ONCE)
    old = old.with_for_update(skip_locked=True)  # writers of other banks delete them, too
    return connection.execute(schema.records.delete().where(_c.id.in_(old.scalar_subquery()))).rowcount


def extend(connection: Connection, record_id: int, expires_at: datetime) -> None:
    """Sets when a record expires."""
    connection.execute(schema.records.update().where(_c.id == record_id).values(expires_at=expires_at))


def ordered(connection: Connection, within: Within, order: str, after: int | None, limit: int) -> list[RecordRow]:
    """Up to `limit` records in the order "oldest", "newest" or "updated", after the one at that position."""
    column = _c.version if order == "updated" else _c.ordinal
    query = _select.where(*within.conditions())
    query = query.order_by(column if order == "oldest" else column.desc()).limit(limit)
    if after is not None:
        query = query.where(column > after if order == "oldest" else column < after)
    return [_row(row) for row in connection.execute(query)]


def every(connection: Connection, within: Within) -> Iterator[RecordRow]:
    """All of them in the order of creation, read as they are needed."""
    query = _select.where(*within.conditions()).order_by(_c.ordinal)
    with connection.execute(query.execution_options(yield_per=200)) as rows:
        yield from map(_row, rows)


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, RecordRow]:
    """Id → record, for those that exist."""
    found = connection.execute(_select.where(columns.among(_c.id, ids)))
    return {row.id: _row(row) for row in found}


def namespaces(connection: Connection, within: Within, after: str | None, limit: int) -> list[str]:
    """Up to `limit` namespaces that hold records, encoded and in order, after the namespace `after`."""
    query = select(_c.namespace).where(*within.conditions()).distinct()
    query = query.order_by(_c.namespace).limit(limit)
    if after is not None:
        query = query.where(_c.namespace > after)
    return list(connection.execute(query).scalars())


def total_bytes(connection: Connection, bank_id: int) -> int:
    """Bytes of the records of a bank; the index holds namespace and key once more."""
    size = columns.octet_length
    names = 3 * size(cast(_c.namespace, Text)) + 2 * size(cast(_c.key, Text))
    row = names + size(_c.value) + func.coalesce(size(cast(_c.text, Text)), 0) + RECORD_ROW_BYTES
    query = select(func.coalesce(func.sum(row), 0)).where(_c.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())
