"""Check of a database for objects that are not in Foxing's schema.

Triggers, views and rules run as part of ordinary statements, so an untrusted file could execute code through them.
"""

from collections.abc import Iterable
from functools import cache

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from .creation import create_tables
from .database import newest_revision
from .dialects import SchemaObject, dialect_of

#: Tables that SQLite creates itself.
_INTERNAL = {"sqlite_sequence", *(f"sqlite_stat{number}" for number in range(1, 5))}


def executable(objects: Iterable[SchemaObject]) -> list[SchemaObject]:
    """Returns the objects that can run when others are used: triggers, views and virtual tables. No revision of Foxing
    has any."""
    return [item for item in objects if item.kind not in ("table", "index") or item.virtual]


def unknown(objects: Iterable[SchemaObject], revision: str) -> list[SchemaObject]:
    """Returns the objects that are not in the schema of `revision`; for that of another version, those that are
    `executable`."""
    if revision != newest_revision():
        return executable(objects)
    expected = _known(revision)
    return [item for item in objects if item not in expected and not _is_internal(item)]


def unknown_objects(connection: Connection, revision: str) -> list[SchemaObject]:
    """Returns the objects of a database that are not in the schema of `revision`."""
    return unknown(dialect_of(connection).schema_objects(connection), revision)


def _is_internal(item: SchemaObject) -> bool:
    """True if SQLite created the object itself: names that begin with "sqlite_" are reserved."""
    return not item.virtual and (
        (item.kind == "table" and item.name in _INTERNAL)
        or (item.kind == "index" and item.name.startswith(f"sqlite_autoindex_{item.table}_"))
    )


@cache
def _known(revision: str) -> frozenset[SchemaObject]:
    """Returns the objects in the schema of `revision`, created in memory."""
    engine: Engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            create_tables(connection, revision, revision)
            return frozenset(dialect_of(connection).schema_objects(connection))
    finally:
        engine.dispose()
