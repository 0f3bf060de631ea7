"""Deleting blobs that nothing uses any more, and objects that no blob is known for.

A blob is given up in one transaction, deleted once no other transaction can still see a use of it, and then forgotten.
Whatever is interrupted is done by the next call.
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

SNAPSHOTS_END_WITHIN_S = 2.0
PAUSE_S = 0.05
#: How old an object must be that no blob is known for: a younger one may belong to a transaction that is not committed.
ORPHAN_AFTER = timedelta(hours=1)

_c = schema.blobs.c
log = logging.getLogger(__name__)


class Transactions(Protocol):
    """A `Database`."""

    def read(self) -> AbstractContextManager[Connection]: ...

    def write(self) -> AbstractContextManager[Connection]: ...


def has_unused(database: Transactions) -> bool:
    """Whether there are blobs to delete."""
    with database.read() as connection:
        return connection.execute(select(_c.name).where(_c.uses <= 0).limit(1)).first() is not None


@dataclass(frozen=True)
class GivenUp:
    """Blobs that were given up, by any process, before a moment."""

    blobs: Sequence[BlobReference]
    #: Transactions that began before it may still see a use of them, see `Dialect.snapshot_barrier`.
    barrier: str | None


def give_up_unused(database: Transactions) -> GivenUp | None:
    """Gives up blobs that nothing uses: the same content becomes another blob from then on. All that are given up as of
    now; None if there are none."""
    if not has_unused(database):
        return None
    with database.write() as connection:
        unused = (_c.uses <= 0, _c.digest.is_not(None))
        connection.execute(schema.blobs.update().where(*unused).values(digest=None))
    with database.read() as connection:  # of one snapshot: what others give up after the barrier is not waited for
        barrier = dialect_of(connection).snapshot_barrier(connection)
        given_up = select(_c.name, _c.size).where(_c.digest.is_(None))
        return GivenUp([BlobReference.named(r.name, r.size) for r in connection.execute(given_up)], barrier)


def delete_given_up(database: Transactions, given_up: GivenUp) -> bool:
    """Deletes what was given up; False if that must wait. For SQLite, no other transaction may be older than
    `given_up`."""
    if given_up.barrier is not None and not _snapshots_end(database, given_up.barrier):
        return False
    with database.read() as connection:
        folder, store = blob_folder(connection), contents.store_of(connection)
    try:
        store.delete([contents.path_of(folder, reference) for reference in given_up.blobs])
    except StorageError as error:
        log.warning("blobs of what was erased are deleted later: %s", error)
        return False
    with database.write() as connection:
        for reference in given_up.blobs:
            connection.execute(schema.blobs.delete().where(_c.name == reference.name, _c.digest.is_(None)))
    return True


def _snapshots_end(database: Transactions, barrier: str) -> bool:
    """Waits until no other transaction is older than `barrier`; False if that takes too long."""
    end = time.monotonic() + SNAPSHOTS_END_WITHIN_S
    while True:
        with database.read() as connection:
            if not dialect_of(connection).is_older_running(connection, barrier):
                return True
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_S)


def find_orphans(database: Transactions, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> list[str]:
    """Paths of objects of this database that no blob is known for, and that no transaction can be about to use: what
    was uploaded and not committed."""
    with database.read() as connection:
        folder, store = blob_folder_if_any(connection), contents.store_of(connection)
        if folder is None or dialect_of(connection).hides_rows(connection):  # whose objects look like orphans
            return []
    before = clock() - ORPHAN_AFTER
    old = [item for item in store.objects(folder) if item.modified_at < before]
    with database.read() as connection:  # later than the list: what was committed meanwhile is known
        return _unknown(connection, folder, old)


def blob_folder_if_any(connection: Connection) -> str | None:
    """The folder of this database; None if it never had a blob outside."""
    c = schema.secrets.c
    known = connection.execute(select(c.name).where(c.name == "blobs")).first()
    return None if known is None else blob_folder(connection)


def _unknown(connection: Connection, folder: str, objects: Sequence[StoredObject]) -> list[str]:
    known = {contents.path_of(folder, use.reference) for use in uses.all_uses(connection)}
    return [item.path for item in objects if item.path not in known]


def sweep(database: Transactions, paths: Sequence[str]) -> bool:
    """Deletes orphans."""
    with database.read() as connection:
        store = contents.store_of(connection)
    store.delete(paths)
    return True
