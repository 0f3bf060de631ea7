"""Records: exact values by namespace and key."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, null, or_, select

from foxing.memory.storage import columns, schema

from .batches import batched, sum_by_bank

#: Namespace and key.
Address = tuple[tuple[str, ...], str]

_c = schema.records.c
_END = "\x1f"  # terminates a label; labels do not contain it
EXPIRED_AT_ONCE = 200
#: Bytes of a row without its texts, with its index entries.
RECORD_ROW_BYTES = 120


@dataclass(frozen=True)
class RecordRow:
    """Row of a record."""

    #: 0 for a record that is not stored yet.
    id: int
    namespace: tuple[str, ...]
    key: str
    #: Value as JSON.
    value: str
    #: Text for search by words; None for all strings of the value.
    text: str | None
    ordinal: int
    version: int
    created_at: datetime
    updated_at: datetime
    ttl_s: float | None
    expires_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """True if it has not expired at `now`."""
        return self.expires_at is None or self.expires_at > now


@dataclass(frozen=True)
class RecordFilter:
    """Filter for unexpired records of a bank, in a namespace and, unless `exact`, those below it."""

    bank_id: int
    namespace: tuple[str, ...]
    exact: bool
    now: datetime

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns the filter as SQL conditions."""
        return [_c.bank_id == self.bank_id, _alive(self.now), *_inside(self.namespace, self.exact)]


def encoded(namespace: Sequence[str]) -> str:
    """Returns a namespace as one text, with each label terminated."""
    return "".join(label + _END for label in namespace)


def decoded(namespace: str) -> tuple[str, ...]:
    """Returns the namespace that was encoded."""
    return tuple(namespace.split(_END)[:-1])


def _alive(now: datetime) -> ColumnElement[bool]:
    return or_(_c.expires_at.is_(None), _c.expires_at > now)


def _inside(namespace: Sequence[str], exact: bool) -> list[ColumnElement[bool]]:
    text = encoded(namespace)
    if exact:
        return [_c.namespace == text]
    # prefix search as a range, because U+0020 follows U+001F, which no label contains
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
    """Reserves `number` new versions of records of a bank. Returns the number before the first of them."""
    c = schema.banks.c
    increment = schema.banks.update().where(c.id == bank_id).values(records_version=c.records_version + number)
    return int(connection.execute(increment.returning(c.records_version)).scalar_one()) - number


def find_many(connection: Connection, bank_id: int, addresses: Iterable[Address]) -> dict[Address, RecordRow]:
    """Returns (namespace, key) → record, expired or not, for records that exist."""
    keys: dict[tuple[str, ...], list[str]] = {}
    for namespace, key in addresses:
        keys.setdefault(namespace, []).append(key)
    result: dict[Address, RecordRow] = {}
    for namespace, record_keys in keys.items():
        for part in batched(record_keys):
            query = _select.where(_c.bank_id == bank_id, _c.namespace == encoded(namespace), _c.key.in_(part))
            result |= {(namespace, row.key): _row(row) for row in connection.execute(query)}
    return result


def write(
    connection: Connection, bank_id: int, row: RecordRow, vectors: bytes | None = None, embedder: int | None = None
) -> RecordRow:
    """Inserts a record with the id 0, or updates the one with its id. `vectors`: those of its text, by this embedder.
    Returns the row as it is stored."""
    values = {column.name: getattr(row, column.name) for column in _select.selected_columns if column.name != "id"}
    values |= {"namespace": encoded(row.namespace), "vectors": vectors, "embedder_id": embedder}
    if row.id:
        connection.execute(schema.records.update().where(_c.id == row.id).values(values))
        return row
    insert = schema.records.insert().values(bank_id=bank_id, **values)
    return replace(row, id=connection.execute(insert.returning(_c.id)).scalar_one())


def delete(connection: Connection, record_id: int) -> None:
    """Deletes one record."""
    connection.execute(schema.records.delete().where(_c.id == record_id))


def clear(connection: Connection, scope: RecordFilter) -> int:
    """Deletes all matching records. Returns how many."""
    return connection.execute(schema.records.delete().where(*scope.conditions())).rowcount


def has_expired(connection: Connection, now: datetime) -> bool:
    """True if a record of any bank has expired."""
    return connection.execute(select(_c.id).where(_c.expires_at <= now).limit(1)).first() is not None


def delete_expired(connection: Connection, now: datetime) -> int:
    """Deletes up to `EXPIRED_AT_ONCE` expired records of any bank, and returns how many. Each write of a record deletes
    more records than it adds, so that expired ones do not accumulate."""
    old = select(_c.id).where(_c.expires_at <= now).order_by(_c.expires_at).limit(EXPIRED_AT_ONCE)
    old = old.with_for_update(skip_locked=True)  # writers of other banks delete them as well
    return connection.execute(schema.records.delete().where(_c.id.in_(old.scalar_subquery()))).rowcount


def extend(connection: Connection, record_id: int, expires_at: datetime) -> None:
    """Sets the time at which a record expires."""
    connection.execute(schema.records.update().where(_c.id == record_id).values(expires_at=expires_at))


def ordered(
    connection: Connection, scope: RecordFilter, order: str, after: int | str | None, limit: int
) -> list[RecordRow]:
    """Returns up to `limit` records in the order "oldest", "newest", "updated" or "last_key", after the position
    `after`: the ordinal, the version or the key of a record."""
    column = {"updated": _c.version, "last_key": _c.key}.get(order, _c.ordinal)
    query = _select.where(*scope.conditions())
    query = query.order_by(column if order == "oldest" else column.desc()).limit(limit)
    if after is not None:
        query = query.where(column > after if order == "oldest" else column < after)
    return [_row(row) for row in connection.execute(query)]


def every(
    connection: Connection, scope: RecordFilter, embedder: int | None
) -> Iterator[tuple[RecordRow, bytes | None]]:
    """Yields all matching records in order of creation, fetched in batches, each with its vectors by this embedder, or
    None if it has none."""
    vectors = case((_c.embedder_id == embedder, _c.vectors)) if embedder is not None else null()
    query = _select.add_columns(vectors.label("packed")).where(*scope.conditions()).order_by(_c.ordinal)
    with connection.execute(query.execution_options(yield_per=200)) as rows:
        for row in rows:
            yield RecordRow(row.id, decoded(row.namespace), *row[2:-1]), row.packed


def without_vectors(
    connection: Connection, bank_id: int, embedders: Collection[int], after: int, limit: int
) -> list[RecordRow]:
    """Returns up to `limit` records of a bank with text to search and without vectors by one of these embedders, by id,
    after the id `after`."""
    query = _select.where(_c.bank_id == bank_id, _c.id > after, *_not_embedded(embedders))
    return [_row(row) for row in connection.execute(query.order_by(_c.id).limit(limit))]


def lacks_vectors(connection: Connection, bank_id: int, embedders: Collection[int]) -> bool:
    """True if `without_vectors` finds a record."""
    query = select(_c.id).where(_c.bank_id == bank_id, *_not_embedded(embedders)).limit(1)
    return connection.execute(query).first() is not None


def _not_embedded(embedders: Collection[int]) -> list[ColumnElement[bool]]:
    text = or_(_c.text.is_(None), _c.text != "")
    return [text, or_(_c.embedder_id.is_(None), _c.embedder_id.not_in(embedders))]


def set_vectors(connection: Connection, record_id: int, version: int, embedder: int, vectors: bytes) -> None:
    """Stores the vectors of a record, unless it was written again."""
    unchanged = schema.records.update().where(_c.id == record_id, _c.version == version)
    connection.execute(unchanged.values(vectors=vectors, embedder_id=embedder))


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, RecordRow]:
    """Returns id → record, for records that exist."""
    rows = connection.execute(_select.where(columns.among(_c.id, ids)))
    return {row.id: _row(row) for row in rows}


def namespaces(connection: Connection, scope: RecordFilter, after: str | None, limit: int) -> list[str]:
    """Returns up to `limit` encoded namespaces with matching records, in order, after the namespace `after`."""
    query = select(_c.namespace).where(*scope.conditions()).distinct()
    query = query.order_by(_c.namespace).limit(limit)
    if after is not None:
        query = query.where(_c.namespace > after)
    return list(connection.execute(query).scalars())


#: Sizes of the records of each bank, in bytes. Namespace and key count again for the index.
SIZES = [
    sum_by_bank(
        _c.bank_id,
        3 * columns.octet_length(cast(_c.namespace, Text))
        + 2 * columns.octet_length(cast(_c.key, Text))
        + columns.octet_length(_c.value)
        + func.coalesce(columns.octet_length(cast(_c.text, Text)), 0)
        + func.coalesce(func.length(_c.vectors), 0)
        + RECORD_ROW_BYTES,
    )
]
