"""Rows that refer to rows that are not there, or to those of another bank."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select

from foxing.memory.storage import schema

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


class Stray(NamedTuple):
    """Rows of one bank that refer to what another bank has."""

    what: str
    number: int


def strays(connection: Connection) -> Iterator[Stray]:
    """What crosses from one bank to another, where there is any."""
    messages, threads, pages, trash = schema.messages, schema.threads, schema.pages, schema.trash
    crossing = {
        "messages in a thread of another bank": (
            messages.join(threads, threads.c.id == messages.c.thread_id),
            messages.c.bank_id != threads.c.bank_id,
        ),
        "trash entries of a page of another bank": (
            trash.join(pages, pages.c.id == trash.c.page_id),
            trash.c.bank_id != pages.c.bank_id,
        ),
    }
    for what, (joined, differs) in crossing.items():
        number = int(connection.execute(select(func.count()).select_from(joined).where(differs)).scalar_one())
        if number:
            yield Stray(what, number)


def pages_without_contents(connection: Connection) -> list[str]:
    """Keys of the pages that have neither tokens nor text."""
    pages, contents = schema.pages.c, schema.page_contents.c
    query = select(pages.key).outerjoin_from(schema.pages, schema.page_contents, contents.page_id == pages.id)
    return list(connection.execute(query.where(contents.page_id.is_(None)).order_by(pages.id)).scalars())
