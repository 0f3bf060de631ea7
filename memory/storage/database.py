"""The database: opening, migrating, transactions, and what its errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

from foxing.memory.errors import DatabaseTooNew, StorageError

BUSY_TIMEOUT_S = 30.0


def default_database() -> Path:
    """The SQLite file in the user's data folder."""
    return user_data_path("foxing") / "foxing.db"


def database_url(database: str | Path | None) -> URL:
    """A SQLAlchemy URL of `database`: a URL, a path of a SQLite file, or None for the default file."""
    if database is None:
        database = default_database()
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(Path(database).expanduser().resolve()))
    try:
        return make_url(database)
    except ArgumentError as error:
        raise StorageError(
            "FOXING_DATABASE_URL is no database URL; write it like sqlite:////path/to/file.db"
        ) from error


class Database:
    """An engine with transactions that end in a commit or leave nothing."""

    def __init__(self, database: str | Path | None = None) -> None:
        self.url = database_url(database)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database and not self.url.database.startswith((":memory:", "file:")):
            folder = Path(self.url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"the folder {folder} cannot be made ({error.strerror}); choose another") from error
        arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False} if self.is_sqlite else {}
        self.engine: Engine = create_engine(self.url, connect_args=arguments, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)

    @property
    def display_url(self) -> str:
        """Without the password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database; writes nothing."""
        with explained(self.display_url), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed whole when the block ends, undone when it raises."""
        with explained(self.display_url), self.engine.connect() as connection:
            if self.is_sqlite:
                # takes the write lock now; a deferred transaction could fail half way when it wants it
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def migrate(self) -> None:
        """Brings the tables up to this version. Raises `DatabaseTooNew` for a database that a newer one wrote."""
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
        """The schema the database is at; None when it is empty."""
        with explained(self.display_url), self.engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            connection.rollback()
            return revision

    def ping(self) -> None:
        """Raises `StorageError` when the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", "foxing.migrations:")
    config.set_main_option("path_separator", "os")
    return config


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver would begin too late for a consistent read
    cursor = connection.cursor()
    with suppress(sqlite3.OperationalError):  # a read-only file can still be read; writing says why it fails
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a message that was answered with 201 survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16384")  # KiB
    cursor.close()


#: Words of the driver's messages, and what to do.
_REASONS = (
    ("readonly database", "is read-only; give foxing the right to write to the file and its folder"),
    ("attempt to write a readonly", "is read-only; give foxing the right to write to the file and its folder"),
    ("disk is full", "is on a full disk; nothing of this was stored: free space and try again"),
    ("disk i/o error", "cannot be written (disk error or full disk); nothing of this was stored: check the disk"),
    ("database is locked", "is locked by another process for too long; try again"),
    ("unable to open database file", "cannot be opened; check that the folder exists and can be written"),
    ("file is not a database", "is no SQLite database; name another file"),
    ("malformed", "is damaged; restore a backup"),
)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns errors of the driver into a `StorageError` that says what to do."""
    try:
        yield
    except NoConnection as error:
        raise StorageError(f"the database {url} is busy: no connection came free in time; try again") from error
    except (OperationalError, sqlite3.Error, DBAPIError) as error:
        words = str(getattr(error, "orig", error)).lower()
        for part, advice in _REASONS:
            if part in words:
                raise StorageError(f"the database {url} {advice}") from error
        if isinstance(error, (OperationalError, sqlite3.OperationalError)):
            raise StorageError(f"the database {url} cannot be used: {words}") from error
        raise
