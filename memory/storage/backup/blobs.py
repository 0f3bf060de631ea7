"""Blobs of a backup that are stored outside the database: a ZIP file `NAME.blobs` next to the backup."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from foxing.memory.errors import StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.blobs.reference import BlobReference
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories.blobs import contents
from foxing.memory.storage.secrets import blob_folder, digest_key

from .values import BackupError

_AT_ONCE = 64  # blobs read or written together

#: Blob name → id of the bank that it belongs to.
UsedBlobs = Mapping[str, int]


def blobs_path(path: Path) -> Path:
    """Returns the path of the blobs of a backup."""
    return path.with_name(path.name + ".blobs")


@contextmanager
def held_blobs(database: Database) -> Iterator[None]:
    """Prevents the deletion of blobs that are in use when the block begins or that come into use within it."""
    with database.read() as connection:  # blobs are not deleted while an older transaction may refer to them
        database.dialect.disable_timeouts(connection)
        connection.execute(select(schema.blobs.c.name).limit(1)).all()
        yield


def write_blobs(database: Database, used: UsedBlobs, path: Path) -> None:
    """Writes the blobs that a copy of the database uses to the file `path`, or deletes the file if there are none.
    Raises `BackupError` if a blob is missing from the storage or was changed there."""
    if not used:
        path.unlink()
        return
    with database.read() as connection:
        folder = blob_folder(connection)
        key = digest_key(connection)
        store = contents.store_of(connection)
    names = list(used)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for start in range(0, len(names), _AT_ONCE):
            batch = {_path_of(folder, name): name for name in names[start : start + _AT_ONCE]}
            files = store.get(list(batch))
            for place, name in batch.items():
                content = files.get(place)
                digest = BlobReference.named(name, 0).digest
                if content is None or contents.digest_of(key, used[name], content) != digest:
                    raise BackupError(
                        f"the object {place} is missing from object storage or was changed there; put it back, or "
                        "erase the page that uses it, which foxing db check names"
                    )
                archive.writestr(name, content)


@contextmanager
def restored_blobs(database: Database, path: Path, folder: str, used: UsedBlobs) -> Iterator[None]:
    """Uploads the blobs of a backup to `folder`, for the database that the block restores. If the block raises, deletes
    them again, unless the database was restored all the same."""
    if not used:
        yield
        return
    file = blobs_path(path)
    if not file.is_file():
        raise BackupError(f"{file}, which holds the blobs of this backup, is missing; put it next to {path.name}")
    if database.blobs is None:
        raise BackupError("this backup has blobs in object storage; configure one for the restored database").naming(
            "blobs_url"
        )
    uploaded = list[str]()
    try:
        _upload(database, file, folder, list(used), uploaded)
        yield
    except BaseException:
        if _is_empty(database):
            database.blobs.store.delete(uploaded)
        raise


def _upload(database: Database, file: Path, folder: str, names: Sequence[str], uploaded: list[str]) -> None:
    place = database.blobs
    assert place is not None
    try:
        with zipfile.ZipFile(file) as archive:
            if missing := set(names).difference(archive.namelist()):
                raise BackupError(
                    f"{file} lacks {len(missing)} of the blobs of {file.stem} ({min(missing)}…) and belongs to another "
                    "backup; find the right file, or use another backup"
                )
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise BackupError(f"{file} is compressed and was not written by foxing db backup; use another")
            for start in range(0, len(names), _AT_ONCE):
                batch = {_path_of(folder, name): archive.read(name) for name in names[start : start + _AT_ONCE]}
                uploaded += batch
                place.store.put(batch)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError) as error:  # sizes or flags are forged
        if isinstance(error, StorageError):
            raise
        raise BackupError(f"{file} cannot be read as the blobs of a backup ({error}); use another") from error


def _is_empty(database: Database) -> bool:
    """True if a failed restore has left the database empty; False also if that is unknown, because the connection was
    lost during the commit."""
    file = database.file
    try:
        return (file is not None and not file.exists()) or database.revision() is None
    except StorageError:
        return False


def _path_of(folder: str, name: str) -> str:
    return contents.path_of(folder, BlobReference.named(name, 0))
