"""Connections to a database: how they are opened, prepared and held, in SQLite and PostgreSQL."""

import re
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from foxing.memory.errors import StorageError

from .blobs.store import BlobStore

#: The oldest PostgreSQL that is supported, as libpq numbers it.
OLDEST_SERVER = 140_000
#: Connections that stay open, and further ones under load. A connection to SQLite costs little; PostgreSQL allows a
#: hundred of all processes unless it is told otherwise, and needs a tenth of a second for one.
SQLITE_POOL = (5, 60)
POSTGRESQL_POOL = (20, 0)
IDLE_S = 5.0  # after which a connection is tried before it is used: the server may have closed it meanwhile

_OWNER = re.compile(r"[A-Za-z0-9._:@-]{1,200}")
BLOBS = "foxing_blobs"  # option of connections: their `BlobPlace`
BLOBS_MIN_BYTES = 16 << 10  # 16 KiB

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True)
class DatabaseOptions:
    """A database, how connections to it are held, and how long to wait for what others hold."""

    #: URL of a database (`postgresql://user@host/name`), path of a SQLite file, or None for the default file.
    database: str | Path | None = field(default=None, repr=False)
    #: Connections that stay open; None for 5 with SQLite and 20 with PostgreSQL.
    pool_size: int | None = None
    #: Further connections that are opened under load and closed afterwards; None for 60 with SQLite and none with
    #: PostgreSQL.
    max_overflow: int | None = None
    #: Seconds that a transaction waits for a free connection.
    pool_timeout_s: float = 30.0
    #: Seconds that a writer waits for a lock that another one holds.
    busy_timeout_s: float = 30.0
    #: PostgreSQL: seconds that the server may take to accept a connection.
    connect_timeout_s: float = 10.0
    #: PostgreSQL: seconds that a statement may take; 0 for no limit.
    statement_timeout_s: float = 120.0
    #: PostgreSQL: seconds that a transaction may wait for this process; 0 for no limit.
    idle_timeout_s: float = 120.0
    #: PostgreSQL: whose banks there are; None for those that are nobody's. Row-level security keeps all others from
    #: the connections, whose role must be one that it applies to. Letters, digits and `. _ - : @`.
    owner: str | None = None
    #: URL of an object storage for large blobs, `s3://bucket/prefix` or `file:///folder`; None to keep them here.
    blobs_url: str | None = field(default=None, repr=False)
    #: Bytes from which on a blob is large.
    blobs_min_bytes: int = BLOBS_MIN_BYTES
    #: Whether a database that does not exist is created; otherwise opening it raises `NoDatabase`.
    create: bool = True

    @property
    def blobs(self) -> "BlobPlace | None":
        """Where large blobs go."""
        return None if self.blobs_url is None else BlobPlace(BlobStore(self.blobs_url), self.blobs_min_bytes)


@dataclass(frozen=True)
class BlobPlace:
    """Where large blobs go, in place of the database."""

    store: BlobStore
    #: Bytes from which on a blob is large.
    min_bytes: int


def default_database() -> Path:
    """The path of the SQLite file in the user's data folder."""
    return user_data_path("foxing") / "foxing.db"


def database_url(database: str | Path | None) -> URL:
    """The SQLAlchemy URL of `database`: a URL, the path of a SQLite file, or None for the default file.

    Raises `StorageError` if it is none, or names a kind of database that is not supported.
    """
    if database is None:
        database = default_database()
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(Path(database).expanduser().resolve()))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise _unsupported("this is not a database URL") from error
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise _unsupported(f"'{url.drivername}' is not a supported kind of database")
    return url


def _unsupported(reason: str) -> StorageError:
    return StorageError(
        f"{reason}; write it like sqlite:////path/to/file.db or postgresql://user@host/database"
    ).naming("database_url")


def shown(url: URL) -> str:
    """The URL without passwords, wherever they stand in it."""
    return url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)


def open_engine(url: URL, options: DatabaseOptions) -> Engine:
    """An engine whose connections follow `options`; none is opened yet. Raises `StorageError` without a driver."""
    return _sqlite_engine(url, options) if url.get_backend_name() == "sqlite" else _postgresql_engine(url, options)


def _sqlite_engine(url: URL, options: DatabaseOptions) -> Engine:
    if options.owner is not None:
        raise StorageError("SQLite has no owners of banks; use PostgreSQL or leave the owner out").naming(
            "database_owner"
        )
    pool: dict[str, Any] = {"pool_size": SQLITE_POOL[0] if options.pool_size is None else options.pool_size}
    if url.database not in (None, "", ":memory:"):  # an in-memory database has a connection per thread
        overflow = SQLITE_POOL[1] if options.max_overflow is None else options.max_overflow
        pool |= {"max_overflow": overflow, "pool_timeout": options.pool_timeout_s}
    arguments = {"timeout": options.busy_timeout_s, "check_same_thread": False}
    engine = create_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,  # they hold what users said
        execution_options={BLOBS: options.blobs},
        **pool,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
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


def _postgresql_engine(url: URL, options: DatabaseOptions) -> Engine:
    if options.owner is not None and not _OWNER.fullmatch(options.owner):
        raise StorageError("an owner must have 1 to 200 characters out of letters, digits and . _ - : @").naming(
            "database_owner"
        )
    if find_spec("psycopg") is None:
        raise StorageError("PostgreSQL needs a driver; install it with: pip install 'foxing[postgresql]'")
    engine = create_engine(
        url,
        connect_args=_postgresql_arguments(url, options),
        hide_parameters=True,  # they hold what users said
        execution_options={BLOBS: options.blobs},
        pool_size=POSTGRESQL_POOL[0] if options.pool_size is None else options.pool_size,
        max_overflow=POSTGRESQL_POOL[1] if options.max_overflow is None else options.max_overflow,
        pool_timeout=options.pool_timeout_s,
        pool_use_lifo=True,  # under little load, few connections are used and none of them has been idle
    )
    event.listen(engine, "connect", _check_server, insert=True)  # before SQLAlchemy asks what it is
    if options.owner is not None:
        event.listen(engine, "connect", partial(_check_owner, options.owner))
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _try_idle_connection)
    return engine


def _postgresql_arguments(url: URL, options: DatabaseOptions) -> dict[str, Any]:
    """What libpq is told beside the URL, which takes precedence."""
    settings: dict[str, str | int] = {
        "timezone": "UTC",  # a server in another time zone could not return the earliest instants
        "lock_timeout": round(options.busy_timeout_s * 1000),
        "statement_timeout": round(options.statement_timeout_s * 1000),
        "idle_in_transaction_session_timeout": round(options.idle_timeout_s * 1000),
    }
    if options.owner is not None:
        settings["foxing.owner"] = options.owner
    given = url.query.get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments = {
        "options": " ".join((ours, *((given,) if isinstance(given, str) else given))).strip(),
        "connect_timeout": max(2, round(options.connect_timeout_s)),  # libpq takes one for two
        "application_name": "foxing",
    }
    return {name: value for name, value in arguments.items() if name == "options" or name not in url.query}


def _check_server(connection: Any, _: ConnectionPoolEntry) -> None:
    """Refuses a server that is too old, and a database that cannot hold every text."""
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise StorageError(
            f"this is PostgreSQL {version // 10_000}, which is too old; foxing needs {OLDEST_SERVER // 10_000} or newer"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageError(f"the encoding of this database is {encoding}; create one with ENCODING 'UTF8'")


def _check_owner(owner: str, connection: Any, _: ConnectionPoolEntry) -> None:
    """Refuses a connection that would reach the banks of other owners."""
    secured = "SELECT row_security_active(to_regclass('banks')), current_setting('foxing.owner', true)"
    active, present = connection.execute(secured).fetchone()
    connection.rollback()
    if present != owner:
        raise StorageError(f"the owner {owner} is not set on this connection: a pooler must pass on 'options'")
    if not active:
        raise StorageError(
            "row-level security does not apply to this role: it owns the tables or is a superuser, or there are no "
            "tables yet. Run foxing db upgrade as the owner of the tables and without database_owner, and connect as "
            "a role that has been granted the tables"
        ).naming("database_owner")


def _note_use(_: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["used_at"] = time.monotonic()


def _try_idle_connection(connection: Any, entry: ConnectionPoolEntry, _: Any) -> None:
    """Has the pool open another connection in place of one that the server has closed while nobody used it."""
    if time.monotonic() - entry.info.get("used_at", time.monotonic()) < IDLE_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:  # of a driver that is not imported here
        raise DisconnectionError from error
