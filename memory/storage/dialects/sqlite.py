"""SQLite: a file, and one writer at a time."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    column,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from foxing.memory.errors import StorageError
from foxing.memory.storage.options import BLOBS, DatabaseOptions

from .dialect import Dialect, SchemaObject

#: Selects all objects of a schema, as `SchemaObject` has them.
OBJECTS = "SELECT type, name, tbl_name, rootpage = 0 FROM sqlite_master"


class SQLite(Dialect):
    name = "sqlite"
    label = "SQLite"
    pool = (5, 60)  # a connection costs little
    one_writer = True
    has_server = False
    reuses_ids = True

    def open_engine(self, url: URL, options: DatabaseOptions) -> Engine:
        if options.owner is not None:
            raise StorageError("SQLite has no owners of banks; use PostgreSQL or leave the owner out").naming(
                "database_owner"
            )
        pool: dict[str, Any] = {"pool_size": self.pool[0] if options.pool_size is None else options.pool_size}
        if url.database not in (None, "", ":memory:"):  # an in-memory database has a connection per thread
            overflow = self.pool[1] if options.max_overflow is None else options.max_overflow
            pool |= {"max_overflow": overflow, "pool_timeout": options.pool_timeout_s}
        arguments = {"timeout": options.busy_timeout_s, "check_same_thread": False}
        engine = create_engine(
            url,
            connect_args=arguments,
            hide_parameters=True,  # they hold what users said
            execution_options={BLOBS: options.blobs},
            **pool,
        )
        event.listen(engine, "connect", _prepare)
        return engine

    def file_of(self, url: URL) -> Path | None:
        name = url.database
        return None if not name or name.startswith((":memory:", "file:")) else Path(name)

    def begin_read(self, connection: Connection) -> Connection:
        connection.exec_driver_sql("BEGIN")
        return connection

    def begin_write(self, connection: Connection) -> None:
        # take the write lock now: a deferred transaction could fail to get it half way through
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def lock(self, connection: Connection, key: int) -> None:
        """The one writer has it."""

    def lift_time_limits(self, connection: Connection) -> None:
        """There are none."""

    def empty_log(self, connection: Connection, within_ms: int) -> bool:
        usual_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {within_ms}")
        try:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual_ms}")
        return not busy

    def insert(self, table: Table) -> sqlite.Insert:
        return sqlite.insert(table)

    def id_table(self, ids: ColumnElement[Any]) -> Any:
        return func.json_each(ids).table_valued(column("value", BigInteger)).c.value

    def fetch_numbers(
        self, connection: Connection, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """The rows come as one: for each row the driver gives the interpreter's lock away, and gets it back behind all
        threads that compute."""
        rows: list[list[Any]] = json.loads(connection.execute(as_one_row(query), parameters).scalar_one())
        return rows

    def reserve_message_ids(self, connection: Connection, number: int) -> list[int]:
        sequence = text("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
        last = int(connection.execute(sequence).scalar() or 0)  # this transaction is the one writer
        return list(range(last + 1, last + 1 + number))

    def file_damage(self, connection: Connection, most: int) -> list[str]:
        found = connection.execute(text(f"PRAGMA integrity_check({most})")).scalars()
        return [str(line) for line in found if line != "ok"]

    def schema_objects(self, connection: Connection) -> list[SchemaObject]:
        return [SchemaObject(*row) for row in connection.execute(text(OBJECTS))]


@lru_cache(maxsize=64)  # building it takes as long as asking it
def as_one_row(query: Select[Any]) -> Select[Any]:
    """A query for all rows of another, as JSON."""
    rows = query.subquery()
    return select(func.json_group_array(func.json_array(*rows.c)))


def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's implicit BEGIN comes too late for a consistent read
    cursor = connection.cursor()
    cursor.execute("PRAGMA trusted_schema = OFF")  # the file may be somebody else's: it calls no functions that act
    cursor.execute("PRAGMA page_size = 1024")  # of a new file: rows of 1 to 4 kB fill their pages, and few are empty
    with suppress(sqlite3.OperationalError):  # a read-only database can still be read
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged message survives a power failure
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
    cursor.execute("PRAGMA cache_size = -4096")  # KiB, of each of the pool's connections; the system caches the file
    cursor.close()
