"""Rows that contradict others, for whoever checks them, and what sets them right."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Table, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.manifest import ManifestDamaged, PageManifest

from .blobs import contents as blobs
from .sealed import ranges

_p = schema.pages.c
_d = schema.page_manifests.c
_r = schema.message_ranges.c
_m = schema.messages.c


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


#: References that the database does not enforce: table, column, and the table that the column holds ids of.
_UNENFORCED = (
    (schema.recent_postings, "bank_id", schema.banks),
    (schema.embeddings, "bank_id", schema.banks),
    (schema.recall_weights, "bank_id", schema.banks),
    (schema.message_ranges, "bank_id", schema.banks),
)
#: Tables whose rows can be made again, or say nothing without what they refer to.
_EXPENDABLE = frozenset(
    {
        "recent_postings",
        "posting_segments",
        "embeddings",
        "recall_weights",
        "message_ranges",
        "schedule",
        "jobs",
        "idempotency_keys",
    }
)


class Reference(NamedTuple):
    """A column that holds ids of another table."""

    column: Column[Any]
    target: Column[Any]

    @property
    def table(self) -> Table:
        return self.column.table

    @property
    def expendable(self) -> bool:
        """Whether a row without what it refers to may be deleted."""
        return self.table.name in _EXPENDABLE

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column.name}"


def references() -> list[Reference]:
    """All references between tables, enforced or not."""
    enforced = [
        Reference(column, key.column)
        for table in schema.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
    ]
    known = {str(reference) for reference in enforced}
    extra = [Reference(table.c[name], target.c.id) for table, name, target in _UNENFORCED]
    return [*enforced, *(reference for reference in extra if str(reference) not in known)]


def count_orphans(connection: Connection, reference: Reference) -> int:
    """How many rows refer to nothing."""
    return int(connection.execute(select(func.count()).where(_orphaned(reference))).scalar_one())


def delete_orphans(connection: Connection, reference: Reference) -> int:
    """Deletes the rows that refer to nothing; how many."""
    return connection.execute(reference.table.delete().where(_orphaned(reference))).rowcount


def _orphaned(reference: Reference) -> ColumnElement[bool]:
    there = select(reference.target).where(reference.target == reference.column)
    return reference.column.is_not(None) & ~there.correlate(reference.table).exists()


#: What crosses from one bank to another: rows joined with what they refer to.
_CROSSING: dict[str, tuple[FromClause, ColumnElement[bool]]] = {
    "messages are in a thread of another bank": (
        schema.messages.join(schema.threads, schema.threads.c.id == _m.thread_id),
        _m.bank_id != schema.threads.c.bank_id,
    ),
    "entries of the trash are of a page of another bank": (
        schema.trash.join(schema.pages, _p.id == schema.trash.c.page_id),
        schema.trash.c.bank_id != _p.bank_id,
    ),
}


def count_crossing(connection: Connection) -> dict[str, int]:
    """What crosses from one bank to another → how many rows, where there are any."""
    counts = {
        what: int(connection.execute(select(func.count()).select_from(joined).where(differs)).scalar_one())
        for what, (joined, differs) in _CROSSING.items()
    }
    return {what: number for what, number in counts.items() if number}


def pages_without_contents(connection: Connection) -> list[str]:
    """Keys of the pages that have neither tokens nor text."""
    pages, contents = schema.pages.c, schema.page_contents.c
    query = select(pages.key).outerjoin_from(schema.pages, schema.page_contents, contents.page_id == pages.id)
    return list(connection.execute(query.where(contents.page_id.is_(None)).order_by(pages.id)).scalars())


class ManifestRow(NamedTuple):
    """The manifest of a page as it is stored."""

    page_id: int
    #: The page's id as callers know it.
    page: str
    #: None if there is no such row.
    packed: bytes | None

    def unpack(self) -> PageManifest | None:
        """The manifest; None if it is missing or damaged."""
        try:
            return None if self.packed is None else PageManifest.unpack(self.packed)
        except ManifestDamaged:
            return None


def manifests_after(connection: Connection, bank_id: int, page_id: int, limit: int) -> list[ManifestRow]:
    """The manifests of up to `limit` pages of a bank with a higher id."""
    query = select(_p.id, _p.key, _d.manifest).outerjoin_from(schema.pages, schema.page_manifests, _d.page_id == _p.id)
    query = query.where(_p.bank_id == bank_id, _p.id > page_id).order_by(_p.id).limit(limit)
    return [ManifestRow(*row) for row in connection.execute(query)]


def manifests(connection: Connection, bank_id: int) -> Iterator[ManifestRow]:
    """The manifests of all pages of a bank."""
    after = 0
    while found := manifests_after(connection, bank_id, after, 64):
        yield from found
        after = found[-1].page_id


def thread_ids(connection: Connection, bank_id: int) -> list[int]:
    """The threads of a bank, ascending."""
    c = schema.threads.c
    return list(connection.execute(select(c.id).where(c.bank_id == bank_id).order_by(c.id)).scalars())


def open_keys(connection: Connection, bank_id: int) -> dict[int, str | None]:
    """Open message → the id that its caller chose, None if it was generated."""
    query = select(_m.id, _m.key).where(_m.bank_id == bank_id)
    return {message_id: key for message_id, key in connection.execute(query)}


def range_counts(connection: Connection, bank_id: int) -> dict[int, int]:
    """Page id → how many ranges it has in a bank."""
    query = select(_r.page_id, func.count()).where(_r.bank_id == bank_id).group_by(_r.page_id)
    return {page_id: number for page_id, number in connection.execute(query)}


def ranges_between(
    connection: Connection, bank_id: int, page_ids: Sequence[int], low: int, high: int
) -> dict[int, list[ranges.MessageRange]]:
    """Page id → its ranges that begin with messages from `low` to `high`."""
    query = select(_r.first_message, _r.last_message, _r.page_id, _r.thread_id, _r.messages)
    query = query.where(_r.bank_id == bank_id, _r.first_message >= low, _r.first_message <= high)
    result: dict[int, list[ranges.MessageRange]] = {}
    for row in connection.execute(query.where(columns.among(_r.page_id, page_ids))):
        result.setdefault(row.page_id, []).append(ranges.MessageRange(*row))
    return result


def ranges_of_pages(connection: Connection, bank_id: int, page_ids: Collection[int]) -> list[ranges.MessageRange]:
    """All ranges of pages of a bank. Every run of the bank is looked at."""
    query = select(_r.first_message, _r.last_message, _r.page_id, _r.thread_id, _r.messages)
    found = connection.execute(query.where(_r.bank_id == bank_id, columns.among(_r.page_id, sorted(page_ids))))
    return [ranges.MessageRange(*row) for row in found]


def rebuild_ranges(connection: Connection, bank_id: int) -> None:
    """Works out anew the ranges of all pages of a bank whose manifests can be read."""
    found = {row.page_id: row.unpack() for row in manifests(connection, bank_id)}
    readable = {page_id: manifest for page_id, manifest in found.items() if manifest is not None}
    connection.execute(schema.message_ranges.delete().where(columns.among(_r.page_id, sorted(readable))))
    ranges.put(connection, bank_id, readable)


def count_foreign_ranges(connection: Connection) -> int:
    """How many ranges are of a page of another bank."""
    return int(connection.execute(select(func.count()).where(_foreign())).scalar_one())


def delete_foreign_ranges(connection: Connection) -> bool:
    """Deletes the ranges that are of a page of another bank; whether there were any."""
    deleted = connection.execute(schema.message_ranges.delete().where(_foreign())).rowcount > 0
    if deleted:
        changed = schema.banks.c.ranges_changed
        connection.execute(schema.banks.update().values({changed: changed + 1}))
    return deleted


def _foreign() -> ColumnElement[bool]:
    page = select(_p.id).where(_p.id == _r.page_id, _p.bank_id != _r.bank_id)
    return page.correlate(schema.message_ranges).exists()


class TrashRow(NamedTuple):
    """An entry of the trash, with the page that it is of."""

    id: int
    page: str
    version: int
    layout: dict[str, Any]
    tokens: bytes | None
    text: bytes | None
    parts: bytes | None


def trash_after(connection: Connection, bank_id: int, entry_id: int, limit: int) -> list[TrashRow]:
    """Up to `limit` entries of a bank with a higher id."""
    t = schema.trash.c
    query = select(t.id, _p.key, t.version, _p.layout, t.tokens, t.text, t.parts)
    query = query.join_from(schema.trash, schema.pages, _p.id == t.page_id)
    query = query.where(t.bank_id == bank_id, t.id > entry_id).order_by(t.id).limit(limit)
    found = [TrashRow(*row) for row in connection.execute(query)]
    contents = [(bank_id, item) for row in found for item in (row.tokens, row.text, row.parts)]
    stored = iter(blobs.get(connection, contents))
    return [row._replace(tokens=next(stored), text=next(stored), parts=next(stored)) for row in found]


class CodeRow(NamedTuple):
    """The code of a message as it stands."""

    message_id: int
    dimensions: int
    code_bytes: int


def codes_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[CodeRow]:
    """The codes of up to `limit` messages of a bank with a higher id."""
    e, by = schema.embeddings.c, schema.embedders.c
    query = (
        select(e.message_id, by.dimensions, func.length(e.code))
        .join_from(schema.embeddings, schema.embedders, by.id == e.embedder_id)
        .where(e.bank_id == bank_id, e.message_id > message_id)
        .order_by(e.message_id)
        .limit(limit)
    )
    return [CodeRow(*row) for row in connection.execute(query)]
