"""What the schema of a database may hold: the tables and indexes of its revision.

Triggers, views and rules run as part of ordinary statements, so that a file of somebody else's could act through them.
"""

from collections.abc import Iterable
from functools import cache

from alembic import command
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from .database import alembic_config, known_revisions
from .dialects import SchemaObject, dialect_of

#: What SQLite makes by itself.
_INTERNAL = {"sqlite_sequence", *(f"sqlite_stat{number}" for number in range(1, 5))}


def acting(found: Iterable[SchemaObject]) -> list[SchemaObject]:
    """Those that no revision of Foxing has, and that do something when others are used: triggers, views and virtual
    tables."""
    return [item for item in found if item.kind not in ("table", "index") or item.virtual]


def unknown(found: Iterable[SchemaObject], revision: str) -> list[SchemaObject]:
    """Those that are not in the schema of that revision; of a newer version, those that are `acting`."""
    if revision not in known_revisions():
        return acting(found)
    known = _known(revision)
    return [item for item in found if item not in known and not _is_internal(item)]


def unknown_objects(connection: Connection, revision: str) -> list[SchemaObject]:
    """Those of a database."""
    return unknown(dialect_of(connection).schema_objects(connection), revision)


def _is_internal(item: SchemaObject) -> bool:
    """Whether SQLite made it: a name that begins with "sqlite_" is not given to others."""
    return not item.virtual and (
        (item.kind == "table" and item.name in _INTERNAL)
        or (item.kind == "index" and item.name.startswith(f"sqlite_autoindex_{item.table}_"))
    )


@cache
def _known(revision: str) -> frozenset[SchemaObject]:
    """The objects of the schema of that revision, made in memory."""
    engine: Engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            return frozenset(dialect_of(connection).schema_objects(connection))
    finally:
        engine.dispose()
