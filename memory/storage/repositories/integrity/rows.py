"""Rows of a bank as they stand, for whoever checks them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from foxing.memory.storage import schema
from foxing.memory.storage.repositories.batches import batched
from foxing.memory.storage.repositories.blobs import contents as blobs


class TrashRow(NamedTuple):
    """An entry of the trash, with the page that it is of."""

    id: int
    page: str
    page_version: int
    layout: dict[str, Any]
    version: int
    tier: str
    tokens: bytes | None
    text: bytes | None
    parts: bytes | None
    dropped_at: datetime
    purge_at: datetime


class CodeRow(NamedTuple):
    """The code of a message as it stands."""

    message_id: int
    embedder_id: int
    dimensions: int
    code_bytes: int


class RecordValue(NamedTuple):
    """A record's value and versions as they stand."""

    id: int
    key: str
    value: str
    ordinal: int
    version: int


class Counts(NamedTuple):
    """Rows of all banks."""

    pages: int
    messages: int


def count_all(connection: Connection) -> Counts:
    c = schema.messages.c
    queries = (
        select(func.count()).select_from(schema.pages),
        select(func.count()).where(c.sealed_chars == 0),  # one that is sealed in part begins on a page
        select(func.coalesce(func.sum(schema.message_ranges.c.messages), 0)),
    )
    number, still_open, sealed = (int(connection.execute(query).scalar_one()) for query in queries)
    return Counts(number, still_open + sealed)


def trash_after(connection: Connection, bank_id: int, entry_id: int, limit: int) -> list[TrashRow]:
    """Up to `limit` entries of a bank with a higher id."""
    w, p = schema.trash.c, schema.pages.c
    columns = (w.version, w.tier, w.tokens, w.text, w.parts, w.dropped_at, w.purge_at)  # as `TrashRow` has them
    query = select(w.id, p.key, p.version.label("page_version"), p.layout, *columns)
    query = query.join_from(schema.trash, schema.pages, p.id == w.page_id)
    query = query.where(w.bank_id == bank_id, w.id > entry_id).order_by(w.id).limit(limit)
    found = [TrashRow(*row) for row in connection.execute(query)]
    held = blobs.get(connection, [(bank_id, item) for row in found for item in (row.tokens, row.text, row.parts)])
    parts = [held[start : start + 3] for start in range(0, len(held), 3)]
    return [
        row._replace(tokens=tokens, text=text, parts=packed)
        for row, (tokens, text, packed) in zip(found, parts, strict=True)
    ]


def codes_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[CodeRow]:
    """The codes of up to `limit` messages of a bank with a higher id."""
    e, by = schema.embeddings.c, schema.embedders.c
    query = (
        select(e.message_id, e.embedder_id, by.dimensions, func.length(e.code))
        .join_from(schema.embeddings, schema.embedders, by.id == e.embedder_id)
        .where(e.bank_id == bank_id, e.message_id > message_id)
        .order_by(e.message_id)
        .limit(limit)
    )
    return [CodeRow(*row) for row in connection.execute(query)]


def codes_of(connection: Connection, bank_id: int, embedder_id: int, ids: Sequence[int]) -> dict[int, bytes]:
    """Message id → the code that an embedder made of it, for those that have one."""
    c, result = schema.embeddings.c, dict[int, bytes]()
    for part in batched(ids):
        where = (c.bank_id == bank_id, c.embedder_id == embedder_id, c.message_id.in_(part))
        result |= {i: bytes(code) for i, code in connection.execute(select(c.message_id, c.code).where(*where))}
    return result


def odd_embedders(connection: Connection) -> list[str]:
    """Embedders without a name, or without numbers."""
    c = schema.embedders.c
    query = select(c.id, c.name, c.dimensions).where((c.dimensions < 1) | (func.length(c.name) < 1)).order_by(c.id)
    return [f"embedder {row.id} ('{row.name}', {row.dimensions} numbers)" for row in connection.execute(query)]


def records_version(connection: Connection, bank_id: int) -> int:
    """The version that the last record of a bank was given."""
    query = select(schema.banks.c.records_version).where(schema.banks.c.id == bank_id)
    return int(connection.execute(query).scalar_one())


def records_after(connection: Connection, bank_id: int, record_id: int, limit: int) -> list[RecordValue]:
    """Up to `limit` records of a bank with a higher id."""
    c = schema.records.c
    query = select(c.id, c.key, c.value, c.ordinal, c.version).where(c.bank_id == bank_id, c.id > record_id)
    return [RecordValue(*row) for row in connection.execute(query.order_by(c.id).limit(limit))]


def raise_records_version(connection: Connection, bank_id: int, version: int) -> None:
    """Has the next record of a bank get a version above `version`."""
    c = schema.banks.c
    update = schema.banks.update().where(c.id == bank_id, c.records_version < version)
    connection.execute(update.values(records_version=version))
