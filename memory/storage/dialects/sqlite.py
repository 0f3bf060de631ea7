"""SQLite dialect: a file, one writer at a time."""

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
from foxing.renderer.private_files import create

from .dialect import Dialect, SchemaObject

#: Selects all objects of a schema, with the columns of `SchemaObject`.
OBJECTS = "SELECT type, name, tbl_name, rootpage = 0 FROM sqlite_master"


class SQLite(Dialect):
    """SQLite, in WAL mode."""

    name = "sqlite"
    label = "SQLite"
    pool = (5, 60)  # connections are cheap
    single_writer = True
    has_server = False

    def open_engine(self, url: URL, options: DatabaseOptions) -> Engine:
        """Returns an engine whose connections set Foxing's pragmas."""
        if options.owner is not None:
            raise StorageError("bank owners require PostgreSQL; use it, or leave the owner out").naming(
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
            hide_parameters=True,  # parameters contain users' messages
            execution_options={BLOBS: options.blobs},
            **pool,
        )
        event.listen(engine, "connect", _prepare)
        file = self.file_of(url)
        if file is not None:
            event.listen(engine, "do_connect", lambda *_: _create(file))
        return engine

    def file_of(self, url: URL) -> Path | None:
        """Returns the path of the file; None for an in-memory database or a file URI."""
        name = url.database
        return None if not name or name.startswith((":memory:", "file:")) else Path(name)

    def begin_read(self, connection: Connection) -> Connection:
        """Begins a deferred transaction."""
        connection.exec_driver_sql("BEGIN")
        return connection

    def begin_write(self, connection: Connection) -> None:
        """Begins an immediate transaction."""
        # acquires the write lock now: a deferred transaction could fail to get it later
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def lock(self, connection: Connection, key: int) -> None:
        """Does nothing: the only writer holds every lock."""

    def disable_timeouts(self, connection: Connection) -> None:
        """Does nothing: SQLite has no such timeouts."""

    def empty_log(self, connection: Connection, within_ms: int) -> bool:
        """Truncates the write-ahead log by a checkpoint."""
        usual_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {within_ms}")
        try:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual_ms}")
        return not busy

    def size(self, connection: Connection) -> int:
        """Returns the size of the file without its log."""
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())

    def insert(self, table: Table) -> sqlite.Insert:
        """Returns SQLite's INSERT … ON CONFLICT."""
        return sqlite.insert(table)

    def id_table(self, ids: ColumnElement[Any]) -> Any:
        """Returns `json_each` of the array of ids."""
        return func.json_each(ids).table_valued(column("value", BigInteger)).c.value

    def fetch_numbers(
        self, connection: Connection, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Fetches all rows as one JSON value. The driver releases the GIL for every row and then waits for it behind
        all computing threads."""
        rows: list[list[Any]] = json.loads(connection.execute(as_one_row(query), parameters).scalar_one())
        return rows

    def reserve_message_ids(self, connection: Connection, number: int) -> list[int]:
        """Returns the ids that follow the last one of the AUTOINCREMENT sequence."""
        sequence = text("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
        last = int(connection.execute(sequence).scalar() or 0)  # this transaction is the only writer
        return list(range(last + 1, last + 1 + number))

    def reserve_message_block(self, connection: Connection, first: int, number: int) -> int:
        """Moves the AUTOINCREMENT sequence behind the block."""
        row = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")).first()
        start = max(first, int(row.seq or 0) + 1 if row else 1)
        values = {"seq": start + number - 1}
        if row is None:
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', :seq)"), values)
        else:
            connection.execute(text("UPDATE sqlite_sequence SET seq = :seq WHERE name = 'messages'"), values)
        return start

    def file_damage(self, connection: Connection, limit: int) -> list[str]:
        """Returns the findings of `PRAGMA integrity_check`."""
        rows = connection.execute(text(f"PRAGMA integrity_check({limit})")).scalars()
        return [str(line) for line in rows if line != "ok"]

    def schema_objects(self, connection: Connection) -> list[SchemaObject]:
        """Returns all objects in the file."""
        return [SchemaObject(*row) for row in connection.execute(text(OBJECTS))]


@lru_cache(maxsize=64)  # building the statement takes as long as executing it
def as_one_row(query: Select[Any]) -> Select[Any]:
    """Returns a query for all rows of `query` as one JSON array."""
    rows = query.subquery()
    return select(func.json_group_array(func.json_array(*rows.c)))


def _create(file: Path) -> None:
    """Creates a missing file, which SQLite would leave open to others. Those beside it get its mode from SQLite."""
    with suppress(OSError):  # SQLite says why it cannot be created
        create(file)


def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's implicit BEGIN comes too late for a consistent read
    cursor = connection.cursor()
    cursor.execute(
        "PRAGMA trusted_schema = OFF"
    )  # the file may be untrusted: its schema calls no functions with side effects
    cursor.execute("PRAGMA page_size = 1024")  # for a new file: rows of 1 to 4 kB waste little space in such pages
    with suppress(sqlite3.OperationalError):  # a read-only database can still be read
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged message survives a power failure
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # overwrites deleted data
    cursor.execute("PRAGMA cache_size = -4096")  # KiB per connection; the operating system caches the file as well
    cursor.close()
