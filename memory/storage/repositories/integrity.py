"""Integrity checks: rows that contradict others, and their repair."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Table, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.manifest import ManifestDamaged, PageManifest
from foxing.memory.storage.packed_codes import CodesDamaged, unpack_codes

from .blobs import contents as blobs
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


#: References without a foreign key: table, column, referenced table.
_UNENFORCED = (
    (schema.recent_postings, "bank_id", schema.banks),
    (schema.embeddings, "bank_id", schema.banks),
    (schema.recall_weights, "bank_id", schema.banks),
    (schema.erased_messages, "bank_id", schema.banks),
    (schema.message_ranges, "bank_id", schema.banks),
    (schema.image_places, "bank_id", schema.banks),
)
#: Tables whose rows can be rebuilt, or are useless without the row that they reference.
_EXPENDABLE = frozenset(
    {
        "recent_postings",
        "posting_segments",
        "embeddings",
        "embedding_segments",
        "recall_weights",
        "erased_messages",
        "message_ranges",
        "image_places",
        "image_trash",
        "schedule",
        "jobs",
        "imports",
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


def references() -> list[Reference]:
    """Returns all references between tables, with or without a foreign key."""
    enforced = [
        Reference(column, key.column)
        for table in schema.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
    ]
    names = {str(reference) for reference in enforced}
    extra = [Reference(table.c[name], target.c.id) for table, name, target in _UNENFORCED]
    return [*enforced, *(reference for reference in extra if str(reference) not in names)]


def count_orphans(connection: Connection, reference: Reference) -> int:
    """Returns the number of rows with a dangling reference."""
    return int(connection.execute(select(func.count()).where(_orphaned(reference))).scalar_one())


def delete_orphans(connection: Connection, reference: Reference) -> int:
    """Deletes the rows with a dangling reference. Returns how many."""
    return connection.execute(reference.table.delete().where(_orphaned(reference))).rowcount


def _orphaned(reference: Reference) -> ColumnElement[bool]:
    target_row = select(reference.target).where(reference.target == reference.column)
    return reference.column.is_not(None) & ~target_row.correlate(reference.table).exists()


#: Problem → rows joined with the rows that they reference, and the condition that their banks differ.
_CROSSING: dict[str, tuple[FromClause, ColumnElement[bool]]] = {
    "messages belong to a thread of another bank": (
        schema.messages.join(schema.threads, schema.threads.c.id == _m.thread_id),
        _m.bank_id != schema.threads.c.bank_id,
    ),
    "trash entries belong to a page of another bank": (
        schema.trash.join(schema.pages, _p.id == schema.trash.c.page_id),
        schema.trash.c.bank_id != _p.bank_id,
    ),
    "dropped files belong to an image of another bank": (
        schema.image_trash.join(schema.images, schema.images.c.id == schema.image_trash.c.image_id),
        schema.image_trash.c.bank_id != schema.images.c.bank_id,
    ),
    "places of images belong to an image of another bank": (
        schema.image_places.join(schema.images, schema.images.c.id == schema.image_places.c.image_id),
        schema.image_places.c.bank_id != schema.images.c.bank_id,
    ),
}


def count_crossing(connection: Connection) -> dict[str, int]:
    """Returns problem → number of rows that reference a row of another bank, where there are any."""
    counts = {
        what: int(connection.execute(select(func.count()).select_from(joined).where(differs)).scalar_one())
        for what, (joined, differs) in _CROSSING.items()
    }
    return {what: number for what, number in counts.items() if number}


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


def manifests_after(connection: Connection, bank_id: int, page_id: int, limit: int) -> list[ManifestRow]:
    """Returns the manifests of up to `limit` pages of a bank with higher ids."""
    query = select(_p.id, _p.key, _d.manifest).outerjoin_from(schema.pages, schema.page_manifests, _d.page_id == _p.id)
    query = query.where(_p.bank_id == bank_id, _p.id > page_id).order_by(_p.id).limit(limit)
    return [ManifestRow(*row) for row in connection.execute(query)]


def manifests(connection: Connection, bank_id: int) -> Iterator[ManifestRow]:
    """Yields the manifests of all pages of a bank."""
    after = 0
    while rows := manifests_after(connection, bank_id, after, 64):
        yield from rows
        after = rows[-1].page_id


def thread_ids(connection: Connection, bank_id: int) -> list[int]:
    """Returns the ids of the threads of a bank, ascending."""
    c = schema.threads.c
    return list(connection.execute(select(c.id).where(c.bank_id == bank_id).order_by(c.id)).scalars())


def open_keys(connection: Connection, bank_id: int) -> dict[int, str | None]:
    """Returns open message id → public id chosen by the caller, None if it was generated."""
    query = select(_m.id, _m.key).where(_m.bank_id == bank_id)
    return {message_id: key for message_id, key in connection.execute(query)}


def range_counts(connection: Connection, bank_id: int) -> dict[int, int]:
    """Returns page id → number of its ranges in a bank."""
    query = select(_r.page_id, func.count()).where(_r.bank_id == bank_id).group_by(_r.page_id)
    return {page_id: number for page_id, number in connection.execute(query)}


def ranges_between(
    connection: Connection, bank_id: int, page_ids: Sequence[int], low: int, high: int
) -> dict[int, list[ranges.MessageRange]]:
    """Returns page id → its ranges that begin with messages from `low` to `high`."""
    query = select(_r.first_message, _r.last_message, _r.page_id, _r.thread_id, _r.messages)
    query = query.where(_r.bank_id == bank_id, _r.first_message >= low, _r.first_message <= high)
    result: dict[int, list[ranges.MessageRange]] = {}
    for row in connection.execute(query.where(columns.among(_r.page_id, page_ids))):
        result.setdefault(row.page_id, []).append(ranges.MessageRange(*row))
    return result


def ranges_of_pages(connection: Connection, bank_id: int, page_ids: Collection[int]) -> list[ranges.MessageRange]:
    """Returns all ranges of pages of a bank. Scans every range of the bank."""
    query = select(_r.first_message, _r.last_message, _r.page_id, _r.thread_id, _r.messages)
    rows = connection.execute(query.where(_r.bank_id == bank_id, columns.among(_r.page_id, sorted(page_ids))))
    return [ranges.MessageRange(*row) for row in rows]


def rebuild_ranges(connection: Connection, bank_id: int) -> None:
    """Rebuilds the ranges of all pages of a bank whose manifests can be read."""
    by_page = {row.page_id: row.unpack() for row in manifests(connection, bank_id)}
    readable = {page_id: manifest for page_id, manifest in by_page.items() if manifest is not None}
    connection.execute(schema.message_ranges.delete().where(columns.among(_r.page_id, sorted(readable))))
    ranges.put(connection, bank_id, readable)


def count_foreign_ranges(connection: Connection) -> int:
    """Returns the number of ranges of a page of another bank."""
    return int(connection.execute(select(func.count()).where(_foreign())).scalar_one())


def delete_foreign_ranges(connection: Connection) -> bool:
    """Deletes the ranges of a page of another bank. Returns True if there were any."""
    deleted = connection.execute(schema.message_ranges.delete().where(_foreign())).rowcount > 0
    if deleted:
        changed = schema.banks.c.ranges_changed
        connection.execute(schema.banks.update().values({changed: changed + 1}))
    return deleted


def _foreign() -> ColumnElement[bool]:
    page = select(_p.id).where(_p.id == _r.page_id, _p.bank_id != _r.bank_id)
    return page.correlate(schema.message_ranges).exists()


class TrashRow(NamedTuple):
    """Trash entry with its page."""

    id: int
    page: str
    version: int
    layout: dict[str, Any]
    tokens: bytes | None
    text: bytes | None
    parts: bytes | None


def trash_after(connection: Connection, bank_id: int, entry_id: int, limit: int) -> list[TrashRow]:
    """Returns up to `limit` trash entries of a bank with higher ids."""
    t = schema.trash.c
    query = select(t.id, _p.key, t.version, _p.layout, t.tokens, t.text, t.parts)
    query = query.join_from(schema.trash, schema.pages, _p.id == t.page_id)
    query = query.where(t.bank_id == bank_id, t.id > entry_id).order_by(t.id).limit(limit)
    rows = [TrashRow(*row) for row in connection.execute(query)]
    contents = [(bank_id, item) for row in rows for item in (row.tokens, row.text, row.parts)]
    stored = iter(blobs.get(connection, contents))
    return [row._replace(tokens=next(stored), text=next(stored), parts=next(stored)) for row in rows]


class CodeRow(NamedTuple):
    """Size of the stored code of a message."""

    message_id: int
    dimensions: int
    code_bytes: int


def codes_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[CodeRow]:
    """Returns the codes of up to `limit` messages of a bank with higher ids, without packed ones."""
    e = schema.embeddings.c
    by = schema.embedders.c
    query = (
        select(e.message_id, by.dimensions, func.length(e.code))
        .join_from(schema.embeddings, schema.embedders, by.id == e.embedder_id)
        .where(e.bank_id == bank_id, e.message_id > message_id)
        .order_by(e.message_id)
        .limit(limit)
    )
    return [CodeRow(*row) for row in connection.execute(query)]


class CodeSegment(NamedTuple):
    """Packed codes of messages."""

    id: int
    first_message: int
    last_message: int
    #: number of messages
    messages: int
    #: None if they cannot be unpacked
    codes: Sequence[CodeRow] | None


def code_segments(connection: Connection, bank_id: int) -> Iterator[CodeSegment]:
    """Yields the packed codes of a bank."""
    s = schema.embedding_segments.c
    by = schema.embedders.c
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
