"""Cache of rows read in a read-only transaction, which cannot change until it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection

from .manifest import PageManifest, PageMessages

_KEY = "foxing.snapshot"


class BankVersions(NamedTuple):
    """Versions of the data of a bank, to validate caches."""

    #: `banks.embeddings_version`
    embeddings: int
    #: `banks.ranges_added` and `banks.ranges_changed`
    ranges: tuple[int, int]
    #: upper bound of the ids of its messages; messages that are stored later have higher ids
    newest: int


class Snapshot:
    """Rows read from one snapshot of the database."""

    def __init__(self) -> None:
        #: page id → manifest, and page id → messages
        self.manifests: dict[int, PageManifest] = {}
        self.messages: dict[int, PageMessages] = {}
        #: thread id → name
        self.threads: dict[int, str] = {}
        #: page id → stamp of its manifest
        self.stamps: dict[int, int] = {}
        #: bank id → its versions
        self.versions: dict[int, BankVersions] = {}
        #: bank id → its `BankRanges`
        self.ranges: dict[int, Any] = {}
        #: bank id → all its `Postings`
        self.postings: dict[int, Any] = {}


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """Attaches a `Snapshot` to the connection of a read-only transaction for the duration of the block."""
    info = connection.info  # not accessible later if the connection is lost
    info[_KEY] = Snapshot()
    try:
        yield
    finally:
        info.pop(_KEY, None)


def of(connection: Connection) -> Snapshot | None:
    """Returns the snapshot of the current transaction; None if it may write."""
    return connection.info.get(_KEY)
