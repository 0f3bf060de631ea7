"""Checks of whole tables: the file, schema objects, references between rows, and the trash."""

import json
from collections.abc import Iterator
from functools import partial

import zstandard

from foxing.encoder import TokensError
from foxing.memory.errors import TokensDamaged
from foxing.memory.pages.content import unpack_tokens
from foxing.memory.pages.exact_text import is_self_contained, unpack_differences, unpack_text
from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import integrity
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.integrity import Reference, TrashRow
from foxing.memory.storage.schema_objects import unknown_objects
from foxing.renderer import PageLayout

from .finding import EXAMPLES, RESTORE, Finding, in_one


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
        with database.read() as connection:
            number = integrity.count_orphans(connection, reference)
        if number:
            yield _orphans(database, reference, number)
    with database.read() as connection:
        crossing = integrity.count_crossing(connection)
        foreign = integrity.count_foreign_ranges(connection)
        empty = integrity.pages_without_contents(connection)
    for what, number in crossing.items():
        yield Finding(f"{number} {what}; {RESTORE}")
    if foreign:  # the lookup check restores them for the bank of the page
        what = f"{foreign} ranges are of a page of another bank"
        yield Finding(what, in_one(database, integrity.delete_foreign_ranges))
    for page in empty:
        yield Finding(f"page {page} has no contents; {RESTORE}")


def _orphans(database: Database, reference: Reference, number: int) -> Finding:
    what = f"{number} rows of {reference} refer to nothing in {reference.target.table.name}"
    if not reference.expendable:
        return Finding(f"{what}; {RESTORE}")
    return Finding(what, in_one(database, partial(integrity.delete_orphans, reference=reference)))


def check_trash(database: Database, bank: Bank) -> Iterator[tuple[int, list[Finding]]]:
    """Finds trash entries that could not be restored. Yields the number of entries checked, and the problems."""
    after = 0
    while True:
        with database.read() as connection:
            entries = integrity.trash_after(connection, bank.id, after, 128)
        if not entries:
            return
        after = entries[-1].id
        where = f"the trash of bank {bank.name}, page"
        yield len(entries), [Finding(f"{where} {row.page}: {fault}") for row in entries if (fault := _trash_fault(row))]


def _trash_fault(row: TrashRow) -> str | None:
    try:
        if row.tokens is not None:
            unpack_tokens(row.tokens)
        if row.text is not None and is_self_contained(row.text):
            unpack_text(row.text, PageLayout.from_dict(row.layout).columns)
        elif row.text is not None:
            unpack_differences(row.text)
        if row.parts is not None:
            json.loads(zstandard.ZstdDecompressor().decompress(row.parts))
    except (TokensError, TokensDamaged, zstandard.ZstdError, ValueError) as error:
        return str(error)
    return None
