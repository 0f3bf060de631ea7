"""Integrity checks: rows that contradict others, and their repair."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.manifest import ManifestDamaged, PageManifest
from foxing.memory.storage.packed_codes import CodesDamaged, unpack_codes

from .sealed import ranges

_p = schema.pages.c
_d = schema.page_manifests.c
_r = schema.message_ranges.c
_m = schema.messages.c


class Counts(NamedTuple):
    """Row counts over all banks."""

    pages: int
    messages: int


def count_all(connection: Connection) -> Counts:
    """Counts all pages and messages."""
    c = schema.messages.c
    queries = (
        select(func.count()).select_from(schema.pages),
        select(func.count()).where(c.sealed_chars == 0),  # a partly sealed message is counted on its first page
        select(func.coalesce(func.sum(schema.message_ranges.c.messages), 0)),
    )
    number, still_open, sealed = (int(connection.execute(query).scalar_one()) for query in queries)
    return Counts(number, still_open + sealed)


#: Tables whose rows can be rebuilt, or are useless without the row that they reference.
_EXPENDABLE = frozenset(
    {
        "recent_postings",
        "posting_segments",
        "embeddings",
        "embedding_segments",
        "recall_weights",
        "facts",
        "erased_messages",
        "message_ranges",
        "image_places",
        "image_trash",
        "schedule",
        "jobs",
        "bank_jobs",
        "idempotency_keys",
    }
)


class Reference(NamedTuple):
    """Column that holds ids of another table."""

    column: Column[Any]
    target: Column[Any]

    @property
    def table(self) -> Table:
        """Table of the column."""
        return self.column.table

    @property
    def expendable(self) -> bool:
        """True if a row with a dangling reference may be deleted."""
        return self.table.name in _EXPENDABLE

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column.name}"

    @property
    def within_banks(self) -> bool:
        """True if both rows have a bank, which must be the same."""
        return "bank_id" in self.table.c and "bank_id" in self.target.table.c


def references() -> list[Reference]:
    """Returns all references between tables. Those to banks may have no foreign key."""
    enforced = {
        column: key.column
        for table in schema.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
    }
    to_banks = {table.c.bank_id: schema.banks.c.id for table in schema.metadata.sorted_tables if "bank_id" in table.c}
    return [Reference(column, target) for column, target in (enforced | to_banks).items()]


def count(connection: Connection, reference: Reference, *, crossing: bool = False) -> int:
    """Returns the number of rows with a dangling reference, or with one to a row of another bank."""
    return int(connection.execute(select(func.count()).where(_is_wrong(reference, crossing))).scalar_one())


def delete(connection: Connection, reference: Reference, *, crossing: bool = False) -> int:
    """Deletes these rows. Returns how many."""
    deleted = connection.execute(reference.table.delete().where(_is_wrong(reference, crossing))).rowcount
    if deleted and reference.table is schema.message_ranges:
        changed = schema.banks.c.ranges_changed
        connection.execute(schema.banks.update().values({changed: changed + 1}))
    return deleted


def _is_wrong(reference: Reference, crossing: bool) -> ColumnElement[bool]:
    target_row = select(reference.target).where(reference.target == reference.column)
    if crossing:
        target_row = target_row.where(reference.target.table.c.bank_id != reference.table.c.bank_id)
    exists = target_row.correlate(reference.table).exists()
    return exists if crossing else reference.column.is_not(None) & ~exists


def pages_without_contents(connection: Connection) -> list[str]:
    """Returns the keys of pages without a row of contents."""
    pages = schema.pages.c
    contents = schema.page_contents.c
    query = select(pages.key).outerjoin_from(schema.pages, schema.page_contents, contents.page_id == pages.id)
    return list(connection.execute(query.where(contents.page_id.is_(None)).order_by(pages.id)).scalars())


class ManifestRow(NamedTuple):
    """Manifest of a page as stored."""

    page_id: int
    #: Public id of the page.
    page: str
    #: None if the page has no manifest.
    packed: bytes | None

    def unpack(self) -> PageManifest | None:
        """Returns the manifest; None if it is missing or damaged."""
        try:
            return None if self.packed is None else PageManifest.unpack(self.packed)
        except ManifestDamaged:
            return None


def manifests(connection: Connection, bank_id: int) -> Iterator[ManifestRow]:
    """Yields the manifests of all pages of a bank."""
    query = select(_p.id, _p.key, _d.manifest).outerjoin_from(schema.pages, schema.page_manifests, _d.page_id == _p.id)
    query = query.where(_p.bank_id == bank_id).order_by(_p.id)
    with connection.execute(query.execution_options(yield_per=64)) as rows:
        yield from (ManifestRow(*row) for row in rows)


def thread_ids(connection: Connection, bank_id: int) -> list[int]:
    """Returns the ids of the threads of a bank, ascending."""
    c = schema.threads.c
    return list(connection.execute(select(c.id).where(c.bank_id == bank_id).order_by(c.id)).scalars())


def open_keys(connection: Connection, bank_id: int) -> dict[int, str | None]:
    """Returns open message id → public id chosen by the caller, None if it was generated."""
    query = select(_m.id, _m.key).where(_m.bank_id == bank_id)
    return {message_id: key for message_id, key in connection.execute(query)}


def ranges_by_page(connection: Connection, bank_id: int) -> dict[int, list[dict[str, int]]]:
    """Returns page id → its ranges in a bank, as `ranges.of_manifest` yields them."""
    columns_ = (_r.first_message, _r.last_message, _r.thread_id, _r.messages, _r.first_at, _r.last_at)
    query = select(_r.page_id, *columns_).where(_r.bank_id == bank_id).order_by(_r.first_message)
    result: dict[int, list[dict[str, int]]] = {}
    for page_id, *values in connection.execute(query):
        names = (column.name for column in columns_)
        result.setdefault(page_id, []).append(dict(zip(names, values, strict=True)))
    return result


def rebuild_ranges(connection: Connection, bank_id: int) -> None:
    """Rebuilds the ranges of all pages of a bank whose manifests can be read."""
    by_page = {row.page_id: row.unpack() for row in manifests(connection, bank_id)}
    readable = {page_id: manifest for page_id, manifest in by_page.items() if manifest is not None}
    connection.execute(schema.message_ranges.delete().where(columns.among(_r.page_id, sorted(readable))))
    ranges.put(connection, bank_id, readable)


class CodeRow(NamedTuple):
    """Size of the stored code of a message."""

    message_id: int
    dimensions: int
    code_bytes: int


class CodeSegment(NamedTuple):
    """Codes of messages."""

    #: None if they are not packed
    id: int | None
    first_message: int
    last_message: int
    #: number of messages
    messages: int
    #: None if they cannot be unpacked
    codes: Sequence[CodeRow] | None


def code_segments(connection: Connection, bank_id: int) -> Iterator[CodeSegment]:
    """Yields the codes of a bank: those that are not packed, and those of each segment."""
    e = schema.embeddings.c
    s = schema.embedding_segments.c
    by = schema.embedders.c
    unpacked = select(e.message_id, by.dimensions, func.length(e.code)).where(e.bank_id == bank_id)
    unpacked = unpacked.join_from(schema.embeddings, schema.embedders, by.id == e.embedder_id).order_by(e.message_id)
    recent = [CodeRow(*row) for row in connection.execute(unpacked)]
    if recent:
        yield CodeSegment(None, recent[0].message_id, recent[-1].message_id, len(recent), recent)
    ids = connection.execute(select(s.id).where(s.bank_id == bank_id).order_by(s.id)).scalars().all()
    query = select(s.id, s.first_message, s.last_message, s.messages, by.dimensions, s.codes)
    query = query.join_from(schema.embedding_segments, schema.embedders, by.id == s.embedder_id)
    for segment_id in ids:
        row = connection.execute(query.where(s.id == segment_id)).one()
        codes: list[CodeRow] | None = None
        with suppress(CodesDamaged):
            codes = [CodeRow(i, row.dimensions, len(code)) for i, code in unpack_codes(row.codes).items()]
        yield CodeSegment(row.id, row.first_message, row.last_message, row.messages, codes)


def delete_code_segment(connection: Connection, bank_id: int, segment_id: int) -> None:
    """Deletes packed codes of a bank."""
    s = schema.embedding_segments.c
    banks = schema.banks.c
    connection.execute(schema.embedding_segments.delete().where(s.bank_id == bank_id, s.id == segment_id))
    version = banks.embeddings_version
    connection.execute(schema.banks.update().where(banks.id == bank_id).values(embeddings_version=version + 1))
