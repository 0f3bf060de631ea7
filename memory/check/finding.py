"""Problems found by checks, and helpers shared by checks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

T = TypeVar("T")

#: Repairs a problem in transactions of its own; returns False if that is not possible now.
Repair = Callable[[], bool]

EXAMPLES = 20  # problems of a check that are reported in words
RESTORE = "restore a backup"  # advice for problems that cannot be repaired


@dataclass(frozen=True)
class Finding:
    """A problem."""

    #: Description, with what to do if it cannot be repaired.
    what: str
    #: None if only a backup helps.
    repair: Repair | None = None


def in_one(database: Database, change: Callable[[Connection], object]) -> Repair:
    """Returns a repair in one transaction. It returns False if `change` returns False or 0, because the problem is
    gone."""

    def repair() -> bool:
        with database.write() as connection:
            return change(connection) not in (False, 0)

    return repair


def in_bank(database: Database, bank_id: int, change: Callable[[Connection], object]) -> Repair:
    """Returns the same repair under the lock of a bank."""

    def locked(connection: Connection) -> object:
        banks.lock(connection, bank_id)
        return change(connection)

    return in_one(database, locked)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields `items` in lists of up to `size`."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
