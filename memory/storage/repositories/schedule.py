"""Schedule: the time at which each bank next has something to erase, seal, age, purge or embed.

The clock reads only the schedule, so that banks without due work cost nothing. A time may be too early, in which case a
job corrects it, but never too late.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Literal

from sqlalchemy import Connection, Integer, Select, and_, bindparam, case, literal, or_, select

from foxing.memory.storage import ages, columns, schema
from foxing.memory.storage.dialects import Dialect, Upsert, dialect_of, insert_into
from foxing.memory.values.policy import AgeFrom

from .batches import sum_by_bank, totals_by_bank

_c = schema.schedule.c

JobKind = Literal["erase", "seal", "age", "purge", "embed"]
#: In order of execution: what is erased need not be sealed, sealing creates pages that may have to age, ageing drops
#: contents that may have to be purged.
KINDS: tuple[JobKind, ...] = ("erase", "seal", "age", "purge", "embed")
#: Those that a legal hold suspends.
SUSPENDED: tuple[JobKind, ...] = ("erase", "age", "purge")

#: Time that is always due.
ALWAYS_DUE = datetime.min.replace(tzinfo=UTC)


def following_kinds(kind: JobKind) -> tuple[JobKind, ...]:
    """Returns the kinds of jobs that come after `kind`."""
    return KINDS[KINDS.index(kind) + 1 :]


@dataclass(frozen=True)
class DueTime:
    """Time at which one kind of job of a bank is next due."""

    #: None if nothing is going to be due.
    due_at: datetime | None
    #: Sealing: number of characters that can be added to the open messages before they may fill a page.
    chars_left: int = 0
    #: Codec for which it was computed; None if it does not depend on one.
    codec: str | None = None


def find(connection: Connection, bank_id: int, kind: JobKind) -> DueTime | None:
    """Returns the due time of a kind of job; None if the schedule has none."""
    query = select(_c.due_at, _c.chars_left, _c.codec).where(_c.bank_id == bank_id, _c.kind == kind)
    row = connection.execute(query).first()
    return DueTime(row.due_at, row.chars_left, row.codec) if row else None


def put(connection: Connection, bank_id: int, kind: JobKind, due: DueTime) -> None:
    """Sets the due time, earlier or later than before."""
    values = {"due_at": due.due_at, "chars_left": due.chars_left, "codec": due.codec}
    statement = insert_into(connection, schema.schedule).values(bank_id=bank_id, kind=kind, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["bank_id", "kind"], set_=values))


def bring_forward(connection: Connection, bank_id: int, kind: JobKind, due_at: datetime = ALWAYS_DUE) -> None:
    """Sets the due time to `due_at` unless it is earlier."""
    statement = insert_into(connection, schema.schedule).values(bank_id=bank_id, kind=kind, due_at=due_at)
    earlier = or_(_c.due_at.is_(None), statement.excluded.due_at < _c.due_at)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["bank_id", "kind"], set_={"due_at": statement.excluded.due_at}, where=earlier
        )
    )


def note_stored(connection: Connection, bank_id: int, chars: int, due_at: datetime) -> None:
    """Records that `chars` characters of open messages were stored, the oldest of which must be sealed at `due_at`.
    Sealing is due immediately if they may fill a page, and in a new bank, whose page size is unknown."""
    statement = _note_stored(dialect_of(connection))
    connection.execute(statement, {"bank": bank_id, "chars": chars, "seal_at": due_at})


@cache
def _note_stored(dialect: Dialect) -> Upsert:
    """Returns the statement of `note_stored`, cached because building it takes as long as executing it."""
    chars = bindparam("chars", type_=Integer)
    seal_at = bindparam("seal_at", type_=_c.due_at.type)
    statement = dialect.insert(schema.schedule).values(bank_id=bindparam("bank"), kind="seal", due_at=ALWAYS_DUE)
    chars_after = _c.chars_left - chars
    earlier = case((or_(_c.due_at.is_(None), _c.due_at > seal_at), seal_at), else_=_c.due_at)
    values = {"chars_left": chars_after, "due_at": case((chars_after <= 0, ALWAYS_DUE), else_=earlier)}
    return statement.on_conflict_do_update(index_elements=["bank_id", "kind"], set_=values)


def due_banks(connection: Connection, bank_ids: Sequence[int], now: datetime) -> set[tuple[int, str]]:
    """Returns the bank and the kind of the jobs that are due at `now`, or may be, in these banks."""
    return {(bank, kind) for bank, kind in connection.execute(_due, {"ids": bank_ids, "now": now})}


_due = select(_c.bank_id, _c.kind).where(columns.is_given(_c.bank_id), _c.due_at <= bindparam("now"))


def count_to_age(
    connection: Connection,
    bank_ids: Sequence[int],
    first: Mapping[tuple[str, bool], timedelta],
    now: datetime,
    age_from: AgeFrom,
) -> Counter[int]:
    """Returns bank id → number of unpinned pages that have at `now` the age in `first` for their tier and kept text."""
    times = {f"start_{number}": now - age for number, age in enumerate(first.values())}
    return totals_by_bank(connection, _pages_to_age(tuple(first), age_from), bank_ids, **times)


@lru_cache(maxsize=64)
def _pages_to_age(kinds: Sequence[tuple[str, bool]], age_from: AgeFrom) -> Select[Any]:
    """Returns a query of `sum_by_bank` with parameters `start_0`, …: times of `kinds`, each a tier and kept text."""
    pages = schema.pages.c
    due = [
        and_(
            pages.tier == tier,
            pages.text_kept == has_text,
            ages.started(bindparam(f"start_{number}", type_=pages.last_at.type), age_from),
        )
        for number, (tier, has_text) in enumerate(kinds)
    ]
    return sum_by_bank(pages.bank_id, literal(1), ~pages.pinned, or_(*due))
