"""Backup and restore of databases."""

from pathlib import Path

from sqlalchemy import inspect

from foxing.memory.errors import DatabaseTooNew
from foxing.memory.storage.database import Database, known_revisions
from foxing.memory.storage.dialects import POSTGRESQL, SQLITE, Dialect
from foxing.memory.storage.secrets import new_blob_folder
from foxing.renderer import Progress

from . import postgresql, sqlite
from .blobs import UsedBlobs, blobs_path, held_blobs, restored_blobs, write_blobs
from .files import atomic_files
from .postgresql import Programs
from .values import Backup, BackupError

_SHOWN = 3  # existing tables named in an error
_MAGICS = {SQLITE: sqlite.MAGIC, POSTGRESQL: postgresql.MAGIC}


def back_up(
    database: Database,
    path: Path,
    *,
    overwrite: bool = False,
    programs: Programs | None = None,
    progress: Progress | None = None,
) -> Backup:
    """Writes a consistent snapshot of `database` to the file `path`, while others read and write, and verifies it.

    The file appears atomically, along with the file of its blobs, and is readable only by its owner. `overwrite`: True
    to replace an existing backup, which is kept if this one fails. `programs`: client programs of PostgreSQL. Raises
    `BackupError` or `StorageError`.
    """
    path = path.expanduser().absolute()
    _check_target(database, path, overwrite)
    if database.revision() is None:
        raise BackupError(f"{database.display_url} has no tables; there is nothing to back up")
    programs = programs or Programs()
    blob_file = blobs_path(path)
    with held_blobs(database), atomic_files(blob_file, path) as (blobs, part):
        if database.dialect is SQLITE:
            revision = sqlite.back_up(database, part, progress)
        else:
            revision = postgresql.back_up(database, part, programs)
        write_blobs(database, _used_blobs(database, part, programs), blobs)
    size = path.stat().st_size + (blob_file.stat().st_size if blob_file.exists() else 0)
    return Backup(path, database.dialect.name, revision, size)


def restore(
    database: Database, path: Path, *, programs: Programs | None = None, progress: Progress | None = None
) -> Backup:
    """Restores the backup `path` into `database`, all or nothing.

    The database must be empty: a SQLite file that does not exist, or a database without tables. An older backup is
    restored with its older schema, which the next command upgrades. Raises `BackupError` or `StorageError`, and
    `DatabaseTooNew` for a backup of a newer version of Foxing.
    """
    path = path.expanduser().absolute()
    dialect = _dialect_of(path)
    if dialect is not database.dialect:
        raise BackupError(
            f"{path} is a backup of {dialect.label}, and {database.display_url} is not; restore it into a database of "
            "the same kind, or move single banks with foxing export and foxing import"
        )
    _check_empty(database)
    revisions: list[str] = []

    def accept(revision: str) -> None:
        _check_version(path, revision)
        revisions.append(revision)

    programs = programs or Programs()
    used = _used_blobs(database, path, programs)
    folder = new_blob_folder()  # not the folder of the source, which may still be in use
    with restored_blobs(database, path, folder, used):
        if database.dialect is SQLITE:
            sqlite.restore(database, path, folder, accept, progress)
        else:
            postgresql.restore(database, path, folder, accept, programs)
    return Backup(path, dialect.name, revisions[0], path.stat().st_size)


def _used_blobs(database: Database, path: Path, programs: Programs) -> UsedBlobs:
    """Returns the blobs that a backup uses, for databases of the same kind as `database`."""
    return sqlite.used_blobs(path) if database.dialect is SQLITE else postgresql.used_blobs(path, programs)


def _check_target(database: Database, path: Path, overwrite: bool) -> None:
    """Raises `BackupError` if a backup cannot or must not be written to `path`."""
    source = database.file
    if source is not None and not source.exists():
        raise BackupError(f"there is no database {source}; name the one to back up with --database")
    if not path.parent.is_dir():
        raise BackupError(f"there is no folder {path.parent}; create it, or choose another")
    if blobs_path(path).exists() and not overwrite:
        raise BackupError(f"{blobs_path(path)} exists; choose another name, or replace it with --overwrite")
    if not path.exists():
        return
    if not path.is_file() or (source is not None and path.samefile(source)):
        raise BackupError(f"{path} is not a backup; choose another name")
    if not overwrite:
        raise BackupError(f"{path} exists; choose another name, or replace it with --overwrite")
    _dialect_of(path)  # raises if the file is not a backup


def _dialect_of(path: Path) -> Dialect:
    """Returns the kind of database that a file is a backup of. Raises `BackupError`."""
    if path.exists() and not path.is_file():
        raise BackupError(f"{path} is not a file; name a file made by foxing db backup")
    try:
        with path.open("rb") as file:
            beginning = file.read(max(map(len, _MAGICS.values())))
        log = path.with_name(path.name + "-wal")
        in_use = log.exists() and log.stat().st_size > 0
    except OSError as error:
        raise BackupError(f"cannot read {path} ({error.strerror}); name a file made by foxing db backup") from error
    dialect = next((kind for kind, magic in _MAGICS.items() if beginning.startswith(magic)), None)
    if dialect is None:
        raise BackupError(f"{path} is not a backup, or is damaged; name a file made by foxing db backup")
    if in_use:
        raise BackupError(f"{path} is a database in use, and part of it is in {log.name}; make a backup of it first")
    return dialect


def _check_empty(database: Database) -> None:
    file = database.file
    if file is not None and not file.exists():
        return
    with database.read() as connection:
        tables = sorted(inspect(connection).get_table_names())
    database.engine.dispose()  # a file cannot be replaced while this process has it open
    if tables:
        raise BackupError(
            f"{database.display_url} is not empty (it has the tables {', '.join(tables[:_SHOWN])}…); restore into a "
            "new database, and point foxing to that"
        )


def _check_version(path: Path, revision: str) -> None:
    if revision not in known_revisions():
        raise DatabaseTooNew(
            f"{path} was written by a newer version of Foxing (schema {revision}); upgrade foxing, or use an older "
            "backup"
        )
