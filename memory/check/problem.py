"""Problems, and what checks have in common."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

from .report import CheckedPart

#: Sets a problem right, in transactions of its own; False if that cannot be done now.
Repair = Callable[[], bool]

EXAMPLES = 20  # problems of a check that are told in words


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


def in_one(database: Database, change: Callable[[Connection], bool]) -> Repair:
    """A repair by one transaction. A change that returns False had nothing to do any more."""

    def repair() -> bool:
        with database.write() as connection:
            return change(connection)

    return repair


def in_bank(database: Database, bank_id: int, change: Callable[[Connection], object]) -> Repair:
    """A repair by one transaction under the lock of a bank. A change that returns False had nothing to do any more."""

    def repair() -> bool:
        with database.write() as connection:
            banks.lock(connection, bank_id)
            return change(connection) is not False

    return repair


def chunks(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    """`ids` in lists of up to `size`."""
    part: list[int] = []
    for item in ids:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
