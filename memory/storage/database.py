"""The database: connection, transactions, migrations and errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from platformdirs import user_data_path
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import ConnectionPoolEntry

from foxing.memory.errors import Closed, DatabaseTooNew, StorageError

from .turns import Turns

#: How long erasing the log waits for the transactions that need it. Writers wait meanwhile.
ERASE_WITHIN_MS = 200


@dataclass(frozen=True)
class DatabaseOptions:
    """A database, how connections to it are held, and how long to wait for what others hold."""

    #: SQLAlchemy URL or path of a SQLite file; None for the default file.
    database: str | Path | None = None
    #: Connections that stay open.
    pool_size: int = 5
    #: Further connections that are opened under load and closed afterwards.
    max_overflow: int = 60
    #: Seconds that a transaction waits for a free connection.
    pool_timeout_s: float = 30.0
    #: Seconds that a writer waits for a lock that another one holds.
    busy_timeout_s: float = 30.0


def default_database() -> Path:
    """The path of the SQLite file in the user's data folder."""
    return user_data_path("foxing") / "foxing.db"


def database_url(database: str | Path | None) -> URL:
    """The SQLAlchemy URL of `database`: a URL, the path of a SQLite file, or None for the default file.

    Raises `StorageError` if it cannot be parsed.
    """
    if database is None:
        database = default_database()
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(Path(database).expanduser().resolve()))
    try:
        return make_url(database)
    except ArgumentError as error:
        raise StorageError("this is not a database URL; write it like sqlite:////path/to/file.db").naming(
            "database_url"
        ) from error


class Database:
    """A database and its transactions.

    Every method raises `StorageError` if the database cannot be used, and `Closed` after `close`.
    """

    def __init__(self, database: str | Path | DatabaseOptions | None = None) -> None:
        """`database`: a URL, the path of a SQLite file, either with options, or None for the default file."""
        options = database if isinstance(database, DatabaseOptions) else DatabaseOptions(database)
        self._options = options
        self.url = database_url(options.database)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database and not self.url.database.startswith((":memory:", "file:")):
            folder = Path(self.url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"cannot create the folder {folder} ({error.strerror}); choose another") from error
        self.engine: Engine = _engine(self.url, options)
        self._closed = False
        self._log_waits = False
        self._turns = Turns()

    @property
    def display_url(self) -> str:
        """The URL without the password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction: one consistent snapshot, which no other transaction changes."""
        with self._connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends and rolled back if it raises. In SQLite, which has one writer at
        a time, those of a process take turns in the order in which they came."""
        with self._turn(), self._connect() as connection:
            if self.is_sqlite:
                # take the write lock now: a deferred transaction could fail to get it half way through
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @property
    def waiting_writers(self) -> int:
        """How many threads of this process wait for their turn to write."""
        return self._turns.waiting

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._turns.take(self._options.busy_timeout_s):
            raise StorageError(f"the database {self.display_url} was locked for too long; try again")
        try:
            yield
        finally:
            self._turns.pass_on()

    def migrate(self) -> None:
        """Upgrades the schema to this version's. Raises `DatabaseTooNew` if a newer version wrote the database."""
        config = alembic_config()
        script = ScriptDirectory.from_config(config)
        current = self.revision()
        if current == script.get_current_head():
            return
        if current is not None and current not in {s.revision for s in script.walk_revisions()}:
            raise DatabaseTooNew(
                f"{self.display_url} was written by a newer version of Foxing (schema {current}); "
                "upgrade foxing, or restore a backup made before the upgrade"
            )
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def revision(self) -> str | None:
        """The schema revision of the database; None if it is empty."""
        with self._connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            connection.rollback()
            return revision

    def erase_log(self) -> bool:
        """Empties SQLite's write-ahead log, which still holds what was deleted; False if a transaction of another
        connection needs it, in which case `erase_waiting_log` tries again. Other databases have nothing to erase."""
        if not self.is_sqlite:
            return True
        with self._connect() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {ERASE_WITHIN_MS}")
            try:
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(self._options.busy_timeout_s * 1000)}")
        self._log_waits = bool(busy)
        return not busy

    def erase_waiting_log(self) -> bool:
        """Empties the log if the last attempt failed; False if this one does, too."""
        return self.erase_log() if self._log_waits else True

    def ping(self) -> None:
        """Raises `StorageError` if the database does not respond."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes the database for new transactions; those that have begun end as they would have. May be repeated."""
        self._closed = True
        self.engine.dispose()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """A connection, released when the block ends."""
        if self._closed:
            raise Closed("this memory is closed; open it again with Memory(…)")
        try:
            with _explained_errors(self.display_url), self.engine.connect() as connection:
                yield connection
        finally:
            if self._closed:  # a connection that was in use when the others were closed
                self.engine.dispose()


def open_database(database: str | Path | DatabaseOptions | None) -> Database:
    """The database with the schema of this version, closed again if it cannot be migrated."""
    opened = Database(database)
    try:
        opened.migrate()
    except BaseException:
        opened.close()
        raise
    return opened


def alembic_config() -> Config:
    """Alembic's configuration for `foxing.migrations`."""
    config = Config()
    config.set_main_option("script_location", "foxing.migrations:")
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: URL, options: DatabaseOptions) -> Engine:
    """An engine whose connections follow `options`; none is opened yet."""
    sqlite = url.get_backend_name() == "sqlite"
    pool: dict[str, Any] = {"pool_size": options.pool_size, "pool_pre_ping": not sqlite}
    if not sqlite or url.database not in (None, "", ":memory:"):  # an in-memory database has a connection per thread
        pool |= {"max_overflow": options.max_overflow, "pool_timeout": options.pool_timeout_s}
    arguments: dict[str, Any] = {"timeout": options.busy_timeout_s, "check_same_thread": False}
    if not sqlite:
        # a server in another time zone could not return the earliest instants
        arguments = {"options": f"-c timezone=UTC -c lock_timeout={round(options.busy_timeout_s * 1000)}"}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, **pool)  # they hold what users said
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's implicit BEGIN comes too late for a consistent read
    cursor = connection.cursor()
    with suppress(sqlite3.OperationalError):  # a read-only database can still be read
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged message survives a power failure
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
    cursor.execute("PRAGMA cache_size = -16384")  # KiB
    cursor.close()


#: Parts of the driver's messages, and what is wrong and what to do.
_ADVICE = (
    ("readonly database", "is read-only; give foxing write permission for the file and its folder"),
    ("attempt to write a readonly", "is read-only; give foxing write permission for the file and its folder"),
    ("disk is full", "is on a full disk, and nothing was stored; free some space and try again"),
    ("disk i/o error", "cannot be written (disk error or full disk), and nothing was stored; check the disk"),
    ("lock timeout", "was locked by another process for too long; try again"),
    ("database is locked", "was locked by another process for too long; try again"),
    ("unable to open database file", "cannot be opened; check that the folder exists and is writable"),
    ("file is not a database", "is not a SQLite database; choose another file"),
    ("malformed", "is damaged; restore a backup"),
)


@contextmanager
def _explained_errors(url: str) -> Iterator[None]:
    """Turns the driver's errors into a `StorageError` that says what to do."""
    try:
        yield
    except NoConnection as error:
        raise StorageError(f"the database {url} is busy: no connection became free in time; try again") from error
    except (OperationalError, sqlite3.Error, DBAPIError) as error:
        message = str(getattr(error, "orig", error)).lower()
        for part, advice in _ADVICE:
            if part in message:
                raise StorageError(f"the database {url} {advice}") from error
        if isinstance(error, (OperationalError, sqlite3.OperationalError)):
            raise StorageError(f"the database {url} cannot be used ({message})").naming("database_url") from error
        raise
