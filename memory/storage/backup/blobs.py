"""The blobs of a backup that are not in the database: a ZIP file beside it, `NAME.blobs`."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import inspect, select, text

from foxing.memory.errors import StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.blobs.reference import BlobReference
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories.blobs import contents, uses
from foxing.memory.storage.secrets import blob_folder

from .files import whole_file
from .values import BackupError

_AT_ONCE = 64  # blobs read or written together


def file_beside(path: Path) -> Path:
    """Where the blobs of a backup are."""
    return path.with_name(path.name + ".blobs")


@contextmanager
def copied_blobs(database: Database, path: Path) -> Iterator[None]:
    """Writes the blobs of the database as it is when the block ends beside `path`, the file that the block writes. No
    blob that was there when it began is deleted meanwhile. If there are none, there is no file."""
    with database.read() as held:  # blobs are not deleted while an older transaction may refer to them
        if not inspect(held).has_table(schema.blobs.name):  # of an older version
            yield
            return
        if not database.is_sqlite:
            held.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        held.execute(select(schema.blobs.c.name).limit(1)).all()
        yield
        with database.read() as connection:
            blobs = uses.all_blobs(connection)
        if not blobs:
            file_beside(path).unlink(missing_ok=True)
            return
        try:
            _write(database, blobs, file_beside(path))
        except BaseException:
            path.unlink(missing_ok=True)  # a backup without its blobs is none
            raise


def _write(database: Database, blobs: list[BlobReference], path: Path) -> None:
    with database.read() as connection:
        folder, store = blob_folder(connection), contents.store_of(connection)
    with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for start in range(0, len(blobs), _AT_ONCE):
            batch = {contents.path_of(folder, blob): blob.name for blob in blobs[start : start + _AT_ONCE]}
            for found, content in store.get(list(batch)).items():
                archive.writestr(batch[found], content)


@contextmanager
def restored_blobs(database: Database, path: Path, folder: str, *, needed: bool) -> Iterator[None]:
    """Uploads the blobs of a backup to `folder`, which the database uses that the block makes. If the block raises,
    they are deleted again. `needed`: whether the backup refers to blobs."""
    file = file_beside(path)
    if not needed:
        yield
        return
    if not file.exists():
        raise BackupError(f"{file} is missing, which has the blobs of this backup; put it beside {path.name}")
    if database.blobs is None:
        raise BackupError("this backup has blobs of an object storage; choose one for the restored database").naming(
            "blobs_url"
        )
    uploaded = list[str]()
    try:
        _upload(database, file, folder, uploaded)
        yield
    except BaseException:
        database.blobs.store.delete(uploaded)
        raise


def _upload(database: Database, file: Path, folder: str, uploaded: list[str]) -> None:
    place = database.blobs
    assert place is not None
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            for start in range(0, len(names), _AT_ONCE):
                batch = {
                    contents.path_of(folder, BlobReference.named(name, 0)): archive.read(name)
                    for name in names[start : start + _AT_ONCE]
                }
                uploaded += batch
                place.store.put(batch)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        raise BackupError(f"{file} cannot be read as the blobs of a backup ({error}); use another") from error
