"""Problems, and what checks have in common."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

T = TypeVar("T")

#: Sets a problem right, in transactions of its own; False if that cannot be done now.
Repair = Callable[[], bool]

EXAMPLES = 20  # problems of a check that are told in words
RESTORE = "restore a backup"  # where nothing else helps


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    #: Where, and what to do if it cannot be repaired.
    what: str
    #: None if nothing but a backup helps.
    repair: Repair | None = None


def in_one(database: Database, change: Callable[[Connection], object]) -> Repair:
    """A repair by one transaction. A change that returns False or 0 had nothing to do any more."""

    def repair() -> bool:
        with database.write() as connection:
            return change(connection) not in (False, 0)

    return repair


def in_bank(database: Database, bank_id: int, change: Callable[[Connection], object]) -> Repair:
    """The same under the lock of a bank."""

    def locked(connection: Connection) -> object:
        banks.lock(connection, bank_id)
        return change(connection)

    return in_one(database, locked)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of up to `size`."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
