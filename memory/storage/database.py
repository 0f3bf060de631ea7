"""The database: connection, transactions, migrations and errors."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakSet

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from foxing.memory.errors import Closed, ConnectionLost, DatabaseTooNew, NoDatabase, StorageError, WriteConflict

from . import snapshot
from .dialects import dialect_for
from .driver_errors import explained_errors
from .fair_semaphore import FairSemaphore
from .options import DatabaseOptions, database_url, default_database, shown
from .repositories.blobs.erasure import delete_given_up, give_up_unused, has_unused

__all__ = ["Database", "DatabaseOptions", "alembic_config", "database_url", "default_database"]

#: How long erasing the log waits for the transactions that need it. Writers wait meanwhile.
ERASE_WITHIN_MS = 200
ATTEMPTS = 3  # of a transaction that may be repeated
FORKED = "this memory was opened before the process was forked; open one in the new process, with Memory(…)"
MIGRATION_LOCK = 0x666F78696E67  # "foxing": of the locks of a database, the one of whoever migrates

T = TypeVar("T")
log = logging.getLogger(__name__)

#: Databases that are open; in a process that was forked, with those that were open in its parent.
_opened: "WeakSet[Database]" = WeakSet()


class Database:
    """A database and its transactions.

    Every method raises `StorageError` if the database cannot be used, and `Closed` after `close`. A process that was
    forked from the one that opened it cannot use it: they would share connections.
    """

    def __init__(self, database: str | Path | DatabaseOptions | None = None) -> None:
        """`database`: a URL, the path of a SQLite file, either with options, or None for the default file. Raises
        `NoDatabase` for a file that does not exist and must not be created."""
        options = database if isinstance(database, DatabaseOptions) else DatabaseOptions(database)
        self._options = options
        self.url = database_url(options.database)
        self.dialect = dialect_for(self.url)
        self._process = os.getpid()
        #: None if it is not one file that is known by its path.
        self.file = self.dialect.file_of(self.url)
        if self.file is not None:
            file = self.file
            self._check_not_inherited(file)
            if not options.create and not file.exists():
                raise self._missing()
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"cannot create the folder {file.parent} ({error.strerror}); choose another"
                ) from error
        self.engine: Engine = self.dialect.open_engine(self.url, options)
        #: Where large blobs go; None if that is the database.
        self.blobs = options.blobs
        self._closed = False
        self._purge_waits = False
        self._semaphore = FairSemaphore()
        _opened.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def check_process(self) -> None:
        """Raises `StorageError` in a process that was forked since the database was opened."""
        if os.getpid() != self._process:
            raise StorageError(FORKED)

    def _check_not_inherited(self, file: Path) -> None:
        """Raises `StorageError` if the file was open when this process was forked. SQLite, which counts the locks of a
        process on a file, would believe that it has those of the parent, and what is written here could be lost."""
        path = os.path.realpath(file)
        for other in list(_opened):
            if other._process == self._process or other.file is None:
                continue
            if os.path.realpath(other.file) == path:
                raise StorageError(
                    f"the file {path} was open when this process was forked, and SQLite cannot open it again "
                    "here; open it after the fork only, close it before, or start the process with 'spawn'"
                )

    @property
    def display_url(self) -> str:
        """The URL without the password."""
        return shown(self.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction: one consistent snapshot, which no other transaction changes."""
        with self._connect(writing=False) as connection:
            reading = self.dialect.begin_read(connection)
            with snapshot.reading(reading):
                yield reading
            reading.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends and rolled back if it raises. In SQLite, which has one writer at
        a time, those of a process take turns in the order in which they came; in PostgreSQL they run at once."""
        with self._turn(), self._connect() as connection:
            self.dialect.begin_write(connection)
            yield connection
            connection.commit()

    def repeatable(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in a transaction of `write`. PostgreSQL: begun again if the connection is lost or the
        server rolls it back in favour of another, so that `work` must do nothing twice that was committed."""
        for attempt in range(1, ATTEMPTS):
            try:
                with self.write() as connection:
                    return work(connection)
            except (ConnectionLost, WriteConflict) as error:
                log.warning("attempt %d of %d failed: %s", attempt, ATTEMPTS, error)
        with self.write() as connection:
            return work(connection)

    @property
    def waiting_writers(self) -> int:
        """How many threads of this process wait for their turn to write."""
        return self._semaphore.waiting

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.check_process()  # a thread that does not exist here may have had the turn
        if not self.dialect.one_writer:
            yield
            return
        if not self._semaphore.acquire(self._options.busy_timeout_s):
            raise StorageError(f"the database {self.display_url} was locked for too long; try again")
        try:
            yield
        finally:
            self._semaphore.release()

    def migrate(self) -> None:
        """Upgrades the schema to this version's. Raises `DatabaseTooNew` if a newer version wrote the database, and
        `NoDatabase` if it is empty and must not be created."""
        config = alembic_config()
        known = self._known_revision()
        if known == ScriptDirectory.from_config(config).get_current_head():
            return
        if known is None and not self._options.create:
            raise self._missing()
        with self.write() as connection:
            self.dialect.lift_time_limits(connection)
            self.dialect.lock(connection, MIGRATION_LOCK)  # several processes may start at once
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_revision(self) -> str:
        """The schema revision of the database, which must be that of this version. Raises `StorageError`."""
        current, head = self._known_revision(), ScriptDirectory.from_config(alembic_config()).get_current_head()
        if current is None or current != head:
            raise StorageError(
                f"{self.display_url} has the schema {current or '(none)'}, and this version of Foxing {head}; run "
                "foxing db upgrade first"
            )
        return current

    def _missing(self) -> NoDatabase:
        return NoDatabase(
            f"there is no database at {self.display_url} yet; nothing was created. The first message that is stored "
            "creates it; if there should be one, name its place"
        ).naming("database_url")

    def _known_revision(self) -> str | None:
        """The schema revision; None if the database is empty. Raises `DatabaseTooNew`, or `StorageError` if it is of a
        version that no migration begins with."""
        current = self.revision()
        if current is not None and current not in known_revisions():
            if current < min(known_revisions()):
                raise StorageError(
                    f"{self.display_url} is of a version before the first release (schema {current}), from which "
                    "nothing upgrades; export its banks with that version, and import them here"
                )
            raise DatabaseTooNew(
                f"{self.display_url} was written by a newer version of Foxing (schema {current}); "
                "upgrade foxing, or restore a backup made before the upgrade"
            )
        return current

    def revision(self) -> str | None:
        """The schema revision of the database; None if it is empty."""
        with self._connect(writing=False) as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            connection.rollback()
            return revision

    def purge_deleted(self) -> bool:
        """Empties SQLite's write-ahead log, which still holds what was deleted; False if a transaction of another
        connection needs it, in which case `purge_waiting` tries again. Other databases have none. Blobs in object
        storage that nothing uses any more are deleted as well, under the same condition."""
        given_up = None if self.blobs is None else give_up_unused(self)
        erased = self._empty_log() and (given_up is None or delete_given_up(self, given_up))
        self._purge_waits = not erased
        return erased

    def _empty_log(self) -> bool:
        with self._connect() as connection:
            return self.dialect.empty_log(connection, ERASE_WITHIN_MS)

    def purge_later(self) -> None:
        """Has the clock empty the log, where what was just deleted need not be erased before the answer."""
        self._purge_waits = True

    def purge_waiting(self) -> bool:
        """Empties the log if the last attempt failed, or if it was put off; False if this one fails, too."""
        waits = self._purge_waits or (self.blobs is not None and has_unused(self))
        return self.purge_deleted() if waits else True

    def ping(self) -> None:
        """Raises `StorageError` if the database does not respond."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes the database for new transactions; those that have begun end as they would have. May be repeated. In a
        process that was forked since, the connections stay open: they are the parent's."""
        self._closed = True
        if os.getpid() == self._process:
            self.engine.dispose()
            _opened.discard(self)

    @contextmanager
    def _connect(self, *, writing: bool = True) -> Iterator[Connection]:
        """A connection, released when the block ends. `writing`: whether the block may store something."""
        if self._closed:
            raise Closed("this memory is closed; open it again with Memory(…)")
        self.check_process()
        pool = self.engine.pool
        try:
            with explained_errors(self.display_url, writing=writing), self.engine.connect() as connection:
                yield connection
        finally:
            if self._closed:  # a connection that was in use when the others were closed
                pool.dispose()
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


def known_revisions() -> frozenset[str]:
    """The revisions of the schema that this version knows."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())
