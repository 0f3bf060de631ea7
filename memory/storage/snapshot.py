"""What a transaction that writes nothing has read: it stays so until the transaction ends, and is read once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from .manifest import PageManifest, PageMessages

_KEY = "foxing.snapshot"


class Snapshot:
    """What is known of one state of the database."""

    def __init__(self) -> None:
        #: by page id
        self.manifests: dict[int, PageManifest] = {}
        self.messages: dict[int, PageMessages] = {}
        #: bank id → its `BankRanges`
        self.ranges: dict[int, Any] = {}


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """To be entered when a transaction begins that writes nothing, until it ends."""
    info = connection.info  # of a connection that is lost it cannot be asked for
    info[_KEY] = Snapshot()
    try:
        yield
    finally:
        info.pop(_KEY, None)


def of(connection: Connection) -> Snapshot | None:
    """What the present transaction of a connection has read; None if it may write."""
    return connection.info.get(_KEY)
