"""What a transaction that writes nothing has read: it stays so until the transaction ends, and is read once."""

from typing import Any

from sqlalchemy import Connection

from .directory import PageDirectory

_KEY = "foxing.snapshot"


class Snapshot:
    """What is known of one state of the database."""

    def __init__(self) -> None:
        #: by page id
        self.directories: dict[int, PageDirectory] = {}
        #: bank id → its `BankRuns`
        self.runs: dict[int, Any] = {}


def begin(connection: Connection) -> None:
    """To be called when a transaction begins that writes nothing."""
    connection.info[_KEY] = Snapshot()


def end(connection: Connection) -> None:
    """To be called when it ends."""
    connection.info.pop(_KEY, None)


def of(connection: Connection) -> Snapshot | None:
    """What the present transaction of a connection has read; None if it may write."""
    return connection.info.get(_KEY)
