"""Deletion of unused blobs, and of orphaned objects.

A blob is marked for deletion in one transaction, deleted once no other transaction can see a use of it, and then its
row is deleted. The next call completes an interrupted deletion.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, select

from foxing.memory.errors import StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.blobs.reference import BlobReference
from foxing.memory.storage.blobs.store import StoredObject
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.secrets import blob_folder

from . import contents, uses

SNAPSHOT_TIMEOUT_S = 2.0
PAUSE_S = 0.05
#: Minimum age of an orphaned object: a younger one may belong to an uncommitted transaction.
MIN_ORPHAN_AGE = timedelta(hours=1)

_c = schema.blobs.c
log = logging.getLogger(__name__)


class Transactions(Protocol):
    """Read and write transactions of a `Database`."""

    def read(self) -> AbstractContextManager[Connection]:
        """Runs the block in a read-only transaction."""

    def write(self) -> AbstractContextManager[Connection]:
        """Runs the block in a transaction that may write."""


def has_unused(database: Transactions) -> bool:
    """True if there are blobs to delete."""
    with database.read() as connection:
        return connection.execute(select(_c.name).where(_c.uses <= 0).limit(1)).first() is not None


@dataclass(frozen=True)
class MarkedBlobs:
    """Blobs that were marked for deletion, by any process, before a point in time."""

    blobs: Sequence[BlobReference]
    #: Transactions that began before it may still use them, see `Dialect.snapshot_barrier`.
    barrier: str | None


def mark_unused(database: Transactions) -> MarkedBlobs | None:
    """Marks unused blobs for deletion; the same content is stored as a new blob from then on. Returns all marked blobs;
    None if there are none."""
    if not has_unused(database):
        return None
    with database.write() as connection:
        unused = (_c.uses <= 0, _c.digest.is_not(None))
        connection.execute(schema.blobs.update().where(*unused).values(digest=None))
    with database.read() as connection:  # one snapshot, so that all blobs read were marked before the barrier
        barrier = dialect_of(connection).snapshot_barrier(connection)
        marked = select(_c.name, _c.size).where(_c.digest.is_(None))
        return MarkedBlobs([BlobReference.named(r.name, r.size) for r in connection.execute(marked)], barrier)


def delete_marked(database: Transactions, marked: MarkedBlobs) -> bool:
    """Deletes marked blobs. Returns False if that must wait. On SQLite, no other transaction may be older than
    `marked`."""
    if marked.barrier is not None and not _snapshots_end(database, marked.barrier):
        return False
    with database.read() as connection:
        folder = blob_folder(connection)
        store = contents.store_of(connection)
    try:
        store.delete([contents.path_of(folder, reference) for reference in marked.blobs])
    except StorageError as error:
        log.warning("blobs of erased pages could not be deleted yet: %s", error)
        return False
    with database.write() as connection:
        for reference in marked.blobs:
            connection.execute(schema.blobs.delete().where(_c.name == reference.name, _c.digest.is_(None)))
    return True


def _snapshots_end(database: Transactions, barrier: str) -> bool:
    """Waits until no other transaction is older than `barrier`. Returns False on timeout."""
    end = time.monotonic() + SNAPSHOT_TIMEOUT_S
    while True:
        with database.read() as connection:
            if not dialect_of(connection).is_older_running(connection, barrier):
                return True
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_S)


def find_orphans(database: Transactions, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> list[str]:
    """Returns the paths of objects of this database without a row, which no transaction can be about to commit: the
    uploads of transactions that were rolled back."""
    with database.read() as connection:
        folder = blob_folder_if_any(connection)
        store = contents.store_of(connection)
        if folder is None or dialect_of(connection).hides_rows(
            connection
        ):  # the objects of hidden rows look like orphans
            return []
    before = clock() - MIN_ORPHAN_AGE
    old = [item for item in store.objects(folder) if item.modified_at < before]
    with database.read() as connection:  # after listing, so that rows committed meanwhile are seen
        return _unknown(connection, folder, old)


def blob_folder_if_any(connection: Connection) -> str | None:
    """Returns the folder of this database; None if it never had a blob in object storage."""
    c = schema.secrets.c
    row = connection.execute(select(c.name).where(c.name == "blobs")).first()
    return None if row is None else blob_folder(connection)


def _unknown(connection: Connection, folder: str, objects: Sequence[StoredObject]) -> list[str]:
    paths_in_use = {contents.path_of(folder, use.reference) for use in uses.all_uses(connection)}
    return [item.path for item in objects if item.path not in paths_in_use]


def sweep(database: Transactions, paths: Sequence[str]) -> bool:
    """Deletes orphans. Returns True."""
    with database.read() as connection:
        store = contents.store_of(connection)
    store.delete(paths)
    return True
