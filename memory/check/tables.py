"""Checks of tables as a whole: the file, references between rows, policies, embedders and records."""

import json
from collections.abc import Iterator
from functools import partial

from foxing.memory.errors import InvalidPolicy
from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.integrity import references, rows
from foxing.memory.storage.schema_objects import unknown_objects
from foxing.memory.values.policy import Policy

from .problem import EXAMPLES, Problem, in_bank

_RESTORE = "restore a backup"


def check_file(database: Database) -> Iterator[Problem]:
    """What SQLite finds wrong with its file."""
    with database.read() as connection:
        damage = dialect_of(connection).file_damage(connection, EXAMPLES)
    for line in damage:
        yield Problem(f"{line}; {_RESTORE}")


def check_schema(database: Database, revision: str) -> Iterator[Problem]:
    """Triggers, views, tables and indexes that are not Foxing's."""
    with database.read() as connection:
        found = unknown_objects(connection, revision)
    for item in found:
        yield Problem(f"{item} is not of Foxing; delete it, and be wary of who made it if that was not you")


def check_references(database: Database) -> Iterator[tuple[int, list[Problem]]]:
    """Rows that refer to rows that are not there; references looked at, and what is wrong."""
    for reference in references.references():
        with database.read() as connection:
            number = references.count_orphans(connection, reference)
        found = [_orphans(database, reference, number)] if number else []
        yield 1, found


def _orphans(database: Database, reference: references.Reference, number: int) -> Problem:
    what = f"{number} rows of {reference} refer to nothing in {reference.target.table.name}"
    if not reference.expendable:
        return Problem(f"{what}; {_RESTORE}")

    def delete() -> bool:
        with database.write() as connection:
            return references.delete_orphans(connection, reference) > 0

    return Problem(what, delete)


def check_banks_apart(database: Database) -> Iterator[Problem]:
    """What crosses from one bank to another, and pages without contents."""
    with database.read() as connection:
        strays = list(references.strays(connection))
        empty = references.pages_without_contents(connection)
    for stray in strays:
        yield Problem(f"{stray.number} {stray.what}; {_RESTORE}")
    for page in empty:
        yield Problem(f"page {page} has no contents; {_RESTORE}")


def check_embedders(database: Database) -> Iterator[Problem]:
    """Embedders that no embedding can be compared by."""
    with database.read() as connection:
        odd = rows.odd_embedders(connection)
    for embedder in odd:
        yield Problem(f"{embedder} is none; run foxing reindex, and {_RESTORE} if that does not help")


def check_policy(bank: Bank) -> Iterator[Problem]:
    """That the policy of a bank can be read."""
    try:
        Policy.parse(bank.policy)
    except InvalidPolicy as error:
        yield Problem(f"the policy of bank {bank.name} cannot be read ({error}); set it by foxing policy")


def check_records(database: Database, bank: Bank) -> Iterator[tuple[int, list[Problem]]]:
    """That records are JSON, and have versions that were given; records looked at, and what is wrong."""
    after = 0
    while True:
        with database.read() as connection:
            newest = rows.records_version(connection, bank.id)
            found = rows.records_after(connection, bank.id, after, 512)
        if not found:
            return
        after = found[-1].id
        problems = [
            Problem(f"record {record.key!r} of bank {bank.name} is not JSON; {_RESTORE}")
            for record in found
            if not _is_json(record.value)
        ]
        highest = max(max(record.version, record.ordinal) for record in found)
        if highest > newest:
            repair = in_bank(database, bank.id, partial(rows.raise_records_version, bank_id=bank.id, version=highest))
            problems.append(Problem(f"records of bank {bank.name} have versions that were not given yet", repair))
        yield len(found), problems


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
