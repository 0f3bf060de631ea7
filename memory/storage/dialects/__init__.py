"""SQL dialects: the differences between SQLite and PostgreSQL, one class each. All other SQL is shared."""

from sqlalchemy import Connection, Table
from sqlalchemy.engine import URL

from .dialect import Dialect, SchemaObject, Upsert
from .postgresql import PostgreSQL
from .sqlite import SQLite

__all__ = ["POSTGRESQL", "SQLITE", "Dialect", "SchemaObject", "Upsert", "dialect_for", "dialect_of", "insert_into"]

SQLITE = SQLite()
POSTGRESQL = PostgreSQL()
_DIALECTS: dict[str, Dialect] = {SQLITE.name: SQLITE, POSTGRESQL.name: POSTGRESQL}


def dialect_for(url: URL) -> Dialect:
    """Returns the dialect of a database."""
    return _DIALECTS[url.get_backend_name()]


def dialect_of(connection: Connection) -> Dialect:
    """Returns the dialect of a connection."""
    return _DIALECTS[connection.dialect.name]


def insert_into(connection: Connection, table: Table) -> Upsert:
    """Returns an INSERT that supports `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return dialect_of(connection).insert(table)
