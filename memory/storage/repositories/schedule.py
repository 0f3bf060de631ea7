"""The schedule: when each bank next has something to seal, to age or to purge.

The clock reads nothing else, so that a bank in which nothing is due costs it nothing. A time in it may be too early, in
which case a job looks at the bank and sets the right one, but never too late.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Integer, bindparam, case, func, or_, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import Dialect, Upsert, dialect_of, insert_into
from foxing.memory.values.policy import AgeFrom

_c = schema.schedule.c

JobKind = Literal["seal", "age", "purge", "embed"]
#: In the order in which they are done: sealing makes pages that may be due, ageing drops what may have to be purged.
KINDS: tuple[JobKind, ...] = ("seal", "age", "purge", "embed")

#: Due whatever the time is.
AT_ONCE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DueTime:
    """When the clock next has to look at a bank for one kind of job."""

    #: None if nothing becomes due by the passing of time.
    due_at: datetime | None
    #: Sealing: how many more characters the open messages can take before they may fill a page.
    chars_left: int = 0
    #: The codec for which it was worked out; None if it does not depend on one.
    codec: str | None = None


class PageGroup(NamedTuple):
    """Pages at one tier, all with their exact text or all without."""

    tier: str
    has_text: bool
    #: What the age of the oldest page counts from.
    start: datetime


def find(connection: Connection, bank_id: int, kind: JobKind) -> DueTime | None:
    query = select(_c.due_at, _c.chars_left, _c.codec).where(_c.bank_id == bank_id, _c.kind == kind)
    row = connection.execute(query).first()
    return DueTime(row.due_at, row.chars_left, row.codec) if row else None


def put(connection: Connection, bank_id: int, kind: JobKind, due: DueTime) -> None:
    """Sets the time, whatever it was before."""
    values = {"due_at": due.due_at, "chars_left": due.chars_left, "codec": due.codec}
    statement = insert_into(connection, schema.schedule).values(bank_id=bank_id, kind=kind, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["bank_id", "kind"], set_=values))


def bring_forward(connection: Connection, bank_id: int, kind: JobKind, due_at: datetime = AT_ONCE) -> None:
    """Makes the clock look at the bank at `due_at` unless it does so earlier anyway."""
    statement = insert_into(connection, schema.schedule).values(bank_id=bank_id, kind=kind, due_at=due_at)
    earlier = or_(_c.due_at.is_(None), statement.excluded.due_at < _c.due_at)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["bank_id", "kind"], set_={"due_at": statement.excluded.due_at}, where=earlier
        )
    )


def note_stored(connection: Connection, bank_id: int, chars: int, due_at: datetime) -> None:
    """Records that `chars` characters of open messages were stored, the oldest of which is to be sealed at `due_at`.
    Sealing is due at once where they may fill a page, and in a new bank, whose pages are of unknown size."""
    statement = _note_stored(dialect_of(connection))
    connection.execute(statement, {"bank": bank_id, "chars": chars, "seal_at": due_at})


@cache
def _note_stored(dialect: Dialect) -> Upsert:
    """The statement of `note_stored`, which every store executes: building it takes as long as executing it."""
    chars, seal_at = bindparam("chars", type_=Integer), bindparam("seal_at", type_=_c.due_at.type)
    statement = dialect.insert(schema.schedule).values(bank_id=bindparam("bank"), kind="seal", due_at=AT_ONCE)
    left = _c.chars_left - chars
    earlier = case((or_(_c.due_at.is_(None), _c.due_at > seal_at), seal_at), else_=_c.due_at)
    values = {"chars_left": left, "due_at": case((left <= 0, AT_ONCE), else_=earlier)}
    return statement.on_conflict_do_update(index_elements=["bank_id", "kind"], set_=values)


def groups_to_age(connection: Connection, bank_id: int, age_from: AgeFrom) -> list[PageGroup]:
    """The unpinned pages of a bank, grouped by what ageing can still take from them."""
    pages = schema.pages.c
    has_text = pages.text_kept.label("has_text")
    query = (
        select(pages.tier, has_text, func.min(columns.age_start(pages.last_at, pages.arrived_at, age_from)))
        .where(pages.bank_id == bank_id, ~pages.pinned)
        .group_by(pages.tier, has_text)
    )
    return [PageGroup(tier, bool(text), start) for tier, text, start in connection.execute(query)]
