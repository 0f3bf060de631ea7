"""Problems, and what checks have in common."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

from .report import CheckedPart

T = TypeVar("T")

#: Sets a problem right, in transactions of its own; False if that cannot be done now.
Repair = Callable[[], bool]

EXAMPLES = 20  # problems of a check that are told in words
RESTORE = "restore a backup"  # where nothing else helps


@dataclass(frozen=True)
class Problem:
    """Something that is wrong."""

    #: Where, and what to do if it cannot be repaired.
    what: str
    #: None if nothing but a backup helps.
    repair: Repair | None = None


@dataclass
class Tally:
    """What one check has found so far."""

    name: str
    checked: int = 0
    problems: int = 0
    repaired: int = 0
    examples: list[str] = field(default_factory=list)
    note: str | None = None

    def add(self, checked: int, found: Iterable[Problem], *, repair: bool) -> None:
        """Counts what was looked at and what is wrong with it, and repairs it if asked to."""
        self.checked += checked
        for problem in found:
            self.problems += 1
            done = repair and problem.repair is not None and problem.repair()
            self.repaired += done
            if len(self.examples) < EXAMPLES:
                self.examples.append(f"{problem.what} (repaired)" if done else problem.what)

    def part(self) -> CheckedPart:
        return CheckedPart(
            name=self.name,
            checked=self.checked,
            problems=self.problems,
            repaired=self.repaired,
            examples=self.examples,
            note=self.note,
        )


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
