"""Backup of SQLite: a snapshot of the file, copied while others write."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import SchemaObject
from foxing.memory.storage.dialects.sqlite import OBJECTS
from foxing.memory.storage.schema_objects import executable, unknown
from foxing.renderer import Progress

from .files import atomic_file, copy
from .values import BackupError

MAGIC = b"SQLite format 3\0"
_PAGES_AT_ONCE = 2048  # copied between two calls of `progress`
_SHOWN = 3  # problems named in an error


def back_up(database: Database, part: Path, progress: Progress | None) -> str:
    """Copies the database to the empty file `part` and verifies it. Returns the revision of the schema. Does not block
    writers."""
    with database.read() as connection, closing(sqlite3.connect(part)) as target:
        # the first read fixes the snapshot, so that concurrent writes do not restart the copy
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master").all()
        source = cast("sqlite3.Connection", connection.connection.driver_connection)
        with _explained(part):
            _copy(source, target, progress)
    return verify(part)


def restore(
    database: Database, path: Path, folder: str, accept: Callable[[str], None], progress: Progress | None
) -> None:
    """Restores a copy, which is verified first, with its blobs in `folder`. `accept`: raises if the revision of the
    copy is not acceptable."""
    target = database.file
    if target is None:
        raise BackupError(f"{database.display_url} is not a file; name the path of a file to restore into")
    _check_place(target)
    with atomic_file(target) as part:
        copy(path, part, progress)
        accept(verify(part))
        _move_blobs(part, folder)
        _check_unused(target)


def verify(path: Path) -> str:
    """Verifies a copy, converts it to a file without a write-ahead log, and returns the revision of its schema. Raises
    `BackupError` if it is damaged or not a database of Foxing."""
    with _explained(path), closing(_open(str(path))) as connection:
        revision = _known_schema(connection)
        connection.execute("PRAGMA journal_mode = DELETE")
        wrong = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_SHOWN})") if row[0] != "ok"]
        wrong += [
            f"a row of {row[0]} has a dangling reference" for row in connection.execute("PRAGMA foreign_key_check")
        ]
        if wrong:
            raise BackupError(f"the file is damaged ({'; '.join(wrong[:_SHOWN])}); use another backup")
        return revision


def used_blobs(path: Path) -> dict[str, int]:
    """Returns name → bank of the blobs in object storage that a copy uses."""
    with _explained(path), closing(_open(f"{path.as_uri()}?mode=ro&immutable=1")) as connection:
        _known_schema(connection)
        return dict(connection.execute("SELECT name, bank FROM blobs WHERE uses > 0 ORDER BY name").fetchall())


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, progress: Progress | None) -> None:
    def report(_: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(total - remaining, total)

    source.backup(target, pages=_PAGES_AT_ONCE, progress=report)


def _move_blobs(path: Path, folder: str) -> None:
    """Sets the blob folder of a copy to `folder` and prevents the reuse of blobs without a use."""
    with _explained(path), closing(_open(str(path))) as connection:
        connection.execute("UPDATE secrets SET value = ? WHERE name = 'blobs'", (bytes.fromhex(folder),))
        connection.execute("UPDATE blobs SET digest = NULL WHERE uses <= 0")


def _check_place(target: Path) -> None:
    """Raises `BackupError` if there is a log that SQLite would apply to the restored file."""
    if target.exists():
        return
    for suffix in ("-wal", "-journal"):
        log = target.with_name(target.name + suffix)
        if log.exists():
            raise BackupError(
                f"{log} is left over from another database and would change the restored one; delete it first"
            )


def _check_unused(target: Path) -> None:
    """Raises `BackupError` if another process uses the empty file that is about to be replaced."""
    if not target.exists():
        return
    with _explained(target), closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise BackupError(f"{target} has just been filled by another process; nothing was restored")
        connection.execute("ROLLBACK")


def _open(name: str) -> sqlite3.Connection:
    """Opens an untrusted file, given by path or URI."""
    connection = sqlite3.connect(name, isolation_level=None, uri=name.startswith("file:"))
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _known_schema(connection: sqlite3.Connection) -> str:
    """Returns the revision of the schema. Raises `BackupError` for unknown objects, before any of them is used."""
    objects = [SchemaObject(*row) for row in connection.execute(OBJECTS)]
    odd = executable(objects)
    revision = "" if odd else _revision(connection)
    if odd := odd or unknown(objects, revision):
        raise BackupError(
            f"the file has objects that no Foxing database has: {', '.join(map(str, odd[:_SHOWN]))}; delete them if "
            "they are yours, otherwise do not trust the file"
        )
    return revision


def _revision(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        row = None
    if row is None:
        raise BackupError("the file is a SQLite database, but not one of Foxing; choose another")
    return str(row[0])


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise BackupError(
            f"{path.name} cannot be used ({error}); stop other processes that use it, or choose another file"
        ) from error
    except sqlite3.DatabaseError as error:
        raise BackupError(f"the file is damaged ({error}); use another backup") from error
