"""What the schema of a database may hold: the tables and indexes of its revision.

Triggers, views and rules run as part of ordinary statements, so that a file of somebody else's could act through them.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from alembic import command
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import StaticPool

from . import schema
from .database import alembic_config, known_revisions

#: Selects all objects of a schema of SQLite, as `SchemaObject` has them.
SQLITE_OBJECTS = "SELECT type, name, tbl_name, rootpage = 0 FROM sqlite_master"
#: What SQLite makes by itself.
_INTERNAL = {"sqlite_sequence", *(f"sqlite_stat{number}" for number in range(1, 5))}
_POSTGRESQL_OBJECTS = (
    "SELECT 'trigger', t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace UNION ALL "
    "SELECT 'rule', rulename, tablename FROM pg_rules WHERE schemaname = current_schema()"
)


class SchemaObject(NamedTuple):
    """A table, an index, a trigger or a view."""

    kind: str
    name: str
    table: str
    #: Whether it has no place in the file, as a view or a virtual table.
    virtual: bool = False

    def __str__(self) -> str:
        where = "" if self.name == self.table else f" on {self.table}"
        return f"the {'virtual ' * (self.virtual and self.kind == 'table')}{self.kind} {self.name}{where}"


def acting(found: Iterable[SchemaObject]) -> list[SchemaObject]:
    """Those that no revision of Foxing has, and that do something when others are used: triggers, views and virtual
    tables."""
    return [item for item in found if item.kind not in ("table", "index") or item.virtual]


def unknown(found: Iterable[SchemaObject], revision: str) -> list[SchemaObject]:
    """Those of a database of SQLite that are not in the schema of that revision; of one of a newer version, those that
    are `acting`."""
    if revision not in known_revisions():
        return acting(found)
    known = _known(revision)
    return [item for item in found if item not in known and not _is_internal(item)]


def unknown_objects(connection: Connection, revision: str) -> list[SchemaObject]:
    """Those of a database. Of PostgreSQL's, where other programs may have tables of their own: triggers and rules of
    Foxing's tables."""
    if connection.dialect.name == "sqlite":
        return unknown([SchemaObject(*row) for row in connection.execute(text(SQLITE_OBJECTS))], revision)
    found = (SchemaObject(*row) for row in connection.execute(text(_POSTGRESQL_OBJECTS)))
    return [item for item in found if item.table in schema.metadata.tables]


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
            return frozenset(SchemaObject(*row) for row in connection.execute(text(SQLITE_OBJECTS)))
    finally:
        engine.dispose()
