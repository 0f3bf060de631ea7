"""What differs between SQLite and PostgreSQL, each in a class; all other SQL is the same for both."""

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
    """The dialect of a database."""
    return _DIALECTS[url.get_backend_name()]


def dialect_of(connection: Connection) -> Dialect:
    """The dialect of a connection."""
    return _DIALECTS[connection.dialect.name]


def insert_into(connection: Connection, table: Table) -> Upsert:
    """An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return dialect_of(connection).insert(table)
