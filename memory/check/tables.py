"""Checks of whole tables: the file, schema objects, references between rows, and the trash."""

from collections.abc import Iterator
from functools import partial

import zstandard

from foxing.encoder import TokensError
from foxing.memory.errors import TokensDamaged
from foxing.memory.pages.content import unpack_tokens
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import integrity, pages, trash
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.integrity import Reference
from foxing.memory.storage.repositories.pages import PageRow
from foxing.memory.storage.repositories.trash import DroppedPage
from foxing.memory.storage.schema_objects import unknown_objects

from .finding import EXAMPLES, RESTORE, Finding, chunks, in_one
from .page_checks import check_kept_text


def check_file(database: Database) -> Iterator[Finding]:
    """Finds damage reported by SQLite's own check of its file."""
    with database.read() as connection:
        damage = dialect_of(connection).file_damage(connection, EXAMPLES)
    for line in damage:
        yield Finding(f"{line}; {RESTORE}")


def check_schema(database: Database, revision: str) -> Iterator[Finding]:
    """Finds triggers, views, tables and indexes that are not Foxing's."""
    with database.read() as connection:
        objects = unknown_objects(connection, revision)
    for item in objects:
        yield Finding(f"{item} is not of Foxing; delete it, and be wary of who made it if that was not you")


def check_references(database: Database) -> Iterator[Finding]:
    """Finds rows that refer to missing rows or to rows of another bank, and pages without contents."""
    for reference in integrity.references():
        target = reference.target.table.name
        # the lookup check restores ranges for the bank of the page
        yield from _wrong(database, reference, f"nothing in {target}", reference.expendable, crossing=False)
        if reference.within_banks:
            other = f"a {target.removesuffix('s')} of another bank"
            yield from _wrong(database, reference, other, reference.table is schema.message_ranges, crossing=True)
    with database.read() as connection:
        empty = integrity.pages_without_contents(connection)
    for page in empty:
        yield Finding(f"page {page} has no contents; {RESTORE}")


def _wrong(
    database: Database, reference: Reference, target: str, expendable: bool, *, crossing: bool
) -> Iterator[Finding]:
    with database.read() as connection:
        number = integrity.count(connection, reference, crossing=crossing)
    what = f"{number} rows of {reference} refer to {target}"
    if number and expendable:
        yield Finding(what, in_one(database, partial(integrity.delete, reference=reference, crossing=crossing)))
    elif number:
        yield Finding(f"{what}; {RESTORE}")


def check_trash(database: Database, bank: Bank) -> Iterator[tuple[int, list[Finding]]]:
    """Finds trash entries that could not be restored. Yields the number of entries checked, and the problems."""
    with database.read() as connection:
        entries = [entry for of_page in trash.entries(connection, bank.id).values() for entry in of_page]
    for part in chunks(entries, 128):
        with database.read() as connection:
            dropped = trash.dropped(connection, [entry.id for entry in part])
            rows = pages.by_ids(connection, sorted({entry.page_id for entry in part}))
        faults = (
            (row, _trash_fault(row, dropped[entry.id]))
            for entry in part
            if entry.id in dropped and (row := rows.get(entry.page_id)) is not None
        )
        where = f"the trash of bank {bank.name}, page"
        yield len(part), [Finding(f"{where} {row.key}: {fault}") for row, fault in faults if fault]


def _trash_fault(page: PageRow, dropped: DroppedPage) -> str | None:
    try:
        if dropped.tokens is not None:
            unpack_tokens(dropped.tokens)
        if dropped.text is not None:
            check_kept_text(page, dropped.text)
        if dropped.parts is not None:
            trash.unpack_parts(page.id, dropped.parts)
    except (TokensError, TokensDamaged, zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        return str(error)
    return None
