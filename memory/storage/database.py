"""Database: connection, transactions, migrations and errors."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.pool import QueuePool

from foxing import migrations
from foxing.memory.access import Access
from foxing.memory.errors import (
    Closed,
    ConnectionLost,
    DatabaseTooNew,
    LockTimeout,
    NoDatabase,
    StorageError,
    WriteConflict,
)
from foxing.memory.fair_semaphore import FairSemaphore
from foxing.memory.values.sizes import PoolSizes
from foxing.renderer.private_files import make_folder, of_sqlite, repair

from . import snapshot
from .creation import create_tables
from .dialects import dialect_for
from .driver_errors import explained_errors
from .options import DatabaseOptions, database_url, default_database, redacted
from .repositories.blobs.erasure import delete_marked, has_unused, mark_unused

if TYPE_CHECKING:
    from alembic.config import Config


__all__ = ["Database", "DatabaseOptions", "alembic_config", "database_url", "default_database"]

#: Timeout of emptying the log while transactions use it, in milliseconds. Blocks writers.
EMPTY_LOG_TIMEOUT_MS = 200
ATTEMPTS = 3  # at a transaction that may be retried
#: Seconds to wait for a server that restarts, and between two attempts to connect.
RESTART_S = 20.0
FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0
FORKED = "this memory was opened before the process was forked; open one in the new process, with Memory(…)"
#: Time for which a migration waits for a lock while calls of running processes wait behind it, in milliseconds.
MIGRATION_LOCK_MS = 500
MIGRATE_S = 300.0  # limit for a migration whose locks others hold
CHECK_S = 1.0  # interval at which reads check that this version may use the database
MIGRATION_LOCK = 0x666F78696E67  # "foxing": key of the advisory lock for migrations

#: Revision at the beginning of the name of a migration.
_REVISION = re.compile(r"\d{4}_\d\d_\d\d_\d{4}(?=_)")
#: Declaration of a migration: the oldest revision of a program that may use the database after it.
_OLDEST = re.compile(r'^oldest = "(\d{4}_\d\d_\d\d_\d{4})"', re.MULTILINE)
_OLDEST_IN_DATABASE = "SELECT oldest FROM alembic_version"

T = TypeVar("T")
log = logging.getLogger(__name__)

#: Open databases; in a forked process, including those of its parent.
_opened: "WeakSet[Database]" = WeakSet()


class SchemaVersion(NamedTuple):
    """Revision of a database, and the oldest revision of a program that may use it; None in one from before the first
    release."""

    revision: str
    oldest: str | None


class Database:
    """A database and its transactions.

    Every method raises `StorageError` if the database cannot be used, and `Closed` after `close`. It cannot be used in
    a forked process, which would share its connections with the parent.
    """

    def __init__(self, database: str | Path | DatabaseOptions | None = None) -> None:
        """`database`: a URL, the path of a SQLite file, options with either, or None for the default file. Raises
        `NoDatabase` for a file that does not exist and must not be created."""
        options = database if isinstance(database, DatabaseOptions) else DatabaseOptions(database)
        self._options = options
        self.url = database_url(options.database)
        self.dialect = dialect_for(self.url)
        self._process = os.getpid()
        #: Path of the SQLite file; None for other databases, and if it has no path.
        self.file = self.dialect.file_of(self.url)
        if self.file is not None:
            file = self.file
            self._check_not_inherited(file)
            if not options.create and not file.exists():
                raise self._missing()
            try:
                make_folder(file.parent)
            except OSError as error:
                raise StorageError(
                    f"cannot create the folder {file.parent} ({error.strerror}); choose another"
                ) from error
            _close_to_others(file)
        self.engine: Engine = self.dialect.open_engine(self.url, options)
        #: Object storage for large blobs; None if they are kept in the database.
        self.blobs = options.blobs
        #: The `AuditLog` of calls on it; None if they are not recorded. See `audit.log_of`.
        self.audit: Any = None
        #: Called with the connection before each commit of `write`; what it returns is called after the commit.
        self.before_commit: Callable[[Connection], Callable[[], object]] | None = None
        self._closed = False
        self._purge_is_pending = False
        #: Time until which reads do not look at the version again; None in a database that need not be of this version.
        self._checked_until: float | None = None
        #: The oldest version that the database named when it last admitted this one.
        self._oldest: str | None = None
        self._semaphore = FairSemaphore()
        _opened.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def check_process(self) -> None:
        """Raises `StorageError` in a process that was forked after the database was opened."""
        if os.getpid() != self._process:
            raise StorageError(FORKED)

    def _check_not_inherited(self, file: Path) -> None:
        """Raises `StorageError` if the file was open when this process was forked. SQLite counts the locks of a process
        on a file: it would assume that the parent's locks are held here, and writes could be lost."""
        path = os.path.realpath(file)
        for other in list(_opened):
            if other._process == self._process or other.file is None:
                continue
            if os.path.realpath(other.file) == path:
                raise StorageError(
                    f"the file {path} was open when this process was forked, and SQLite cannot open it again "
                    "here; open it only after the fork, close it before, or start the process with 'spawn'"
                )

    @property
    def display_url(self) -> str:
        """URL without the password."""
        return redacted(self.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Runs the block in a read-only transaction on one consistent snapshot. Yields its connection."""
        with self._connect(writing=False) as connection:
            reading = self.dialect.begin_read(connection)
            self._check_version(reading, writing=False)
            self._limit(reading)
            with snapshot.reading(reading):
                yield reading
            reading.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Runs the block in a transaction, committed when it ends and rolled back if it raises. Yields its connection.
        SQLite has one writer at a time; writers of a process are served in order of arrival. PostgreSQL runs them
        concurrently."""
        with self._begin() as connection:
            self._check_version(connection, writing=True)
            self._limit(connection)
            yield connection
            committed = None if self.before_commit is None else self.before_commit(connection)
            connection.commit()
        if committed is not None:
            committed()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """Begins a transaction that may write, rolled back unless the block commits it."""
        with self._turn(), self._connect() as connection:
            self.dialect.begin_write(connection)
            yield connection

    def _check_version(self, connection: Connection, *, writing: bool) -> None:
        """Raises `DatabaseTooNew` in a transaction if a migration has shut this version out. Reads look at most once in
        `CHECK_S` seconds."""
        if self._checked_until is None:
            return
        now = monotonic()
        if not writing and now < self._checked_until:
            return
        oldest = connection.exec_driver_sql(_OLDEST_IN_DATABASE).scalar()
        if oldest != self._oldest:
            if oldest is not None and oldest > newest_revision():
                raise self._too_new(oldest)
            self._oldest = oldest
        self._checked_until = now + CHECK_S

    def _too_new(self, oldest: str) -> DatabaseTooNew:
        return DatabaseTooNew(
            f"{self.display_url} was written by a newer version of Foxing and needs one of schema {oldest} or later "
            f"(this one: {newest_revision()}); nothing was changed; upgrade foxing, or restore a backup made before "
            "the upgrade"
        )

    def _limit(self, connection: Connection) -> None:
        """Hides the banks of other tenants from a transaction for a caller of one."""
        tenant = Access.current().tenant
        if tenant is not None:
            self.dialect.limit_to_tenant(connection, tenant)

    def repeatable(self, work: Callable[[Connection], T]) -> T:
        """Returns the result of `work` in a transaction of `write`. On PostgreSQL it is retried if the connection is
        lost or the server aborts it in favour of another, so `work` must be idempotent. After a lost connection a
        server that restarts is waited for, up to `RESTART_S` seconds: until then it is unknown whether the lost attempt
        was committed."""
        deadline = monotonic() + RESTART_S
        pause_s = FIRST_PAUSE_S
        attempt = 1
        lost = False
        while True:
            began = False
            try:
                with self.write() as connection:
                    began = True
                    return work(connection)
            except (ConnectionLost, WriteConflict) as error:
                if attempt == ATTEMPTS:
                    raise
                log.warning("attempt %d of %d failed: %s", attempt, ATTEMPTS, error)
                attempt += 1
                lost = lost or isinstance(error, ConnectionLost)
            except StorageError as error:
                if began or not lost or monotonic() + pause_s > deadline:
                    raise
                log.warning("waiting for the database: %s", error)
                sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)

    @property
    def connections(self) -> PoolSizes:
        """Connections of this process."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):  # of a database in memory
            return PoolSizes(0, 0, 1)
        overflow = self.dialect.pool[1] if self._options.max_overflow is None else self._options.max_overflow
        return PoolSizes(pool.checkedout(), pool.checkedin(), pool.size() + overflow)

    @property
    def waiting_writers(self) -> int:
        """Number of threads of this process that wait to write."""
        return self._semaphore.waiting

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.check_process()  # after a fork, the holder may be a thread that does not exist here
        if not self.dialect.single_writer:
            yield
            return
        if not self._semaphore.acquire(self._options.busy_timeout_s):
            raise StorageError(f"the database {self.display_url} was locked for too long; try again")
        try:
            yield
        finally:
            self._semaphore.release()

    def migrate(self) -> None:
        """Creates the tables of this version in an empty database, or upgrades it to their schema. A database of a
        newer version that this one may use stays as it is. Running processes of versions that may use the new schema go
        on meanwhile: on PostgreSQL the migration begins again where it would have to wait for a lock, as long as others
        would wait behind it, for `MIGRATE_S` seconds. Raises `DatabaseTooNew` if a newer version wrote the database,
        and `NoDatabase` if it is empty and must not be created."""
        version = self._usable_version()
        if version is not None and version.revision >= newest_revision():
            self._checked_until = 0.0
            return
        if version is None and not self._options.create:
            raise self._missing()
        deadline = monotonic() + MIGRATE_S
        while True:
            try:
                with self._begin() as connection:
                    self._migrate_in(connection)
                    connection.commit()
                self._checked_until = 0.0
                return
            except (LockTimeout, WriteConflict) as error:
                if monotonic() > deadline:
                    raise
                log.warning("the migration waits for transactions of other processes: %s", error)
                sleep(MAX_PAUSE_S)

    def _migrate_in(self, connection: Connection) -> None:
        self.dialect.disable_timeouts(connection)
        self.dialect.lock(connection, MIGRATION_LOCK)  # several processes may start concurrently
        version = _version_in(connection)
        if version is None:
            create_tables(connection, newest_revision(), oldest_revision())
            return
        if version.revision >= newest_revision():
            return
        self.dialect.limit_lock_waits(connection, MIGRATION_LOCK_MS)
        oldest = max(version.oldest or "", oldest_revision())
        if oldest != version.oldest:
            # every transaction reads this table: those of versions that are shut out end before the first change
            self.dialect.lock_table(connection, "alembic_version")
        from alembic import command

        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(text("UPDATE alembic_version SET oldest = :oldest"), {"oldest": oldest})

    def rolls(self) -> bool:
        """Returns True if processes of the revision of the database may go on during the upgrade to this version, and
        after it."""
        version = self._version()
        return version is None or oldest_revision() <= version.revision

    def check_revision(self) -> str:
        """Returns the schema revision, which this version must be able to use. Raises `StorageError` otherwise."""
        version = self._usable_version()
        head = newest_revision()
        if version is None or version.revision < head:
            raise StorageError(
                f"{self.display_url} has schema {version.revision if version else '(none)'}, this version of Foxing "
                f"needs {head}; run foxing db upgrade first"
            )
        self._checked_until = 0.0
        return version.revision

    def _missing(self) -> NoDatabase:
        return NoDatabase(
            f"there is no database at {self.display_url}, and none was created. Storing a message creates it; if you "
            "expected one, correct its location"
        ).naming("database_url")

    def _usable_version(self) -> SchemaVersion | None:
        """Returns the version of the schema; None if the database is empty. Raises `DatabaseTooNew` for one that this
        version may not use, or `StorageError` for a revision before the first migration."""
        version = self._version()
        if version is None:
            return None
        if version.oldest is None or version.revision < min(known_revisions()):
            raise StorageError(
                f"{self.display_url} is from a version before the first release (schema {version.revision}) and cannot "
                "be upgraded; export its banks with that version, and import them here"
            )
        if version.oldest > newest_revision():
            raise self._too_new(version.oldest)
        return version

    def _version(self) -> SchemaVersion | None:
        with self._connect(writing=False) as connection:
            version = _version_in(connection)
            connection.rollback()
            return version

    def revision(self) -> str | None:
        """Returns the schema revision of the database; None if it is empty."""
        version = self._version()
        return None if version is None else version.revision

    def purge_deleted(self) -> bool:
        """Empties SQLite's write-ahead log, which still holds deleted data, and deletes unused blobs from object
        storage. Returns False if a transaction of another connection prevents it; `purge_pending` then tries again.
        Other databases have no such log."""
        marked = None if self.blobs is None else mark_unused(self)
        erased = self._empty_log() and (marked is None or delete_marked(self, marked))
        self._purge_is_pending = not erased
        return erased

    def _empty_log(self) -> bool:
        with self._connect() as connection:
            return self.dialect.empty_log(connection, EMPTY_LOG_TIMEOUT_MS)

    def postpone_purge(self) -> None:
        """Schedules `purge_deleted` for the next call of `purge_pending`, where deleted data need not be erased
        immediately."""
        self._purge_is_pending = True

    def purge_pending(self) -> bool:
        """Calls `purge_deleted` if the last attempt failed, or if it was postponed. Returns False if it fails."""
        waits = self._purge_is_pending or (self.blobs is not None and has_unused(self))
        return self.purge_deleted() if waits else True

    def ping(self) -> None:
        """Raises `StorageError` if the database does not respond."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes the database for new transactions; running ones complete. Idempotent. In a forked process, the
        parent's connections stay open."""
        self._closed = True
        if os.getpid() == self._process:
            self.engine.dispose()
            _opened.discard(self)

    @contextmanager
    def _connect(self, *, writing: bool = True) -> Iterator[Connection]:
        """Yields a connection, released when the block ends. `writing`: True if the block may write."""
        if self._closed:
            raise Closed("this memory is closed; open it again with Memory(…)")
        self.check_process()
        pool = self.engine.pool
        try:
            with explained_errors(self.display_url, writing=writing), self.engine.connect() as connection:
                yield connection
        finally:
            if self._closed:  # this connection was in use when the others were closed
                pool.dispose()
                self.engine.dispose()


def _version_in(connection: Connection) -> SchemaVersion | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT * FROM alembic_version")).mappings().first()
    return None if row is None else SchemaVersion(str(row["version_num"]), row.get("oldest"))


def _close_to_others(file: Path) -> None:
    """Takes the rights of other accounts from a file that was created with some, and from the folder of this user's
    data."""
    paths = of_sqlite(os.path.realpath(file))
    if file.parent == default_database().parent:
        paths.append(str(file.parent))
    repair(paths)


def open_database(database: str | Path | DatabaseOptions | None) -> Database:
    """Opens a database and migrates it to the schema of this version. Closes it again if that fails."""
    opened = Database(database)
    try:
        opened.migrate()
    except BaseException:
        opened.close()
        raise
    return opened


def migration_folders() -> tuple[Path, ...]:
    """Returns the folders of the migrations, whose file names begin with the revision."""
    return (Path(migrations.__path__[0]) / "versions",)


def alembic_config() -> "Config":
    """Returns Alembic's configuration for `foxing.migrations`. Alembic is imported for migrations alone: that takes a
    fifth of a second."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "foxing.migrations:")
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, migration_folders())).replace("%", "%%"))
    return config


def known_revisions() -> frozenset[str]:
    """Returns the schema revisions known to this version."""
    return frozenset(_revisions(migration_folders()))


def newest_revision() -> str:
    """Returns the schema revision of this version."""
    return _revisions(migration_folders())[-1]


def oldest_revision() -> str:
    """Returns the oldest revision of a program that may use a database of the newest one: the latest of those that the
    migrations declare. One that declares none shuts out all earlier programs."""
    return _oldest_revision(migration_folders())


@cache
def _oldest_revision(folders: tuple[Path, ...]) -> str:
    declared = []
    for file in (file for folder in folders for file in folder.glob("*.py")):
        revision = _REVISION.match(file.name)
        if revision is not None:
            oldest = _OLDEST.search(file.read_text(encoding="utf-8"))
            declared.append(revision[0] if oldest is None else oldest[1])
    return max(declared)


@cache
def _revisions(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Returns the revisions of the files in these folders, oldest first."""
    names = (file.name for folder in folders for file in folder.glob("*.py"))
    return tuple(sorted(match[0] for name in names if (match := _REVISION.match(name)) is not None))
