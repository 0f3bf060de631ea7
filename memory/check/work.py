"""Checks of the work that time brings: leases, jobs, the schedule and the trash."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import zstandard
from sqlalchemy import Connection

from foxing.encoder import TokensError
from foxing.memory.codec_source import CodecSource
from foxing.memory.errors import InvalidPolicy, TokensDamaged
from foxing.memory.lifecycle.jobs import LEASE as JOB_LEASE
from foxing.memory.lifecycle.jobs import LONGEST_PAUSE
from foxing.memory.lifecycle.plan import next_due
from foxing.memory.pages.content import unpack_tokens
from foxing.memory.pages.exact_text import stands_alone, unpack_differences, unpack_text
from foxing.memory.pages.page_writer import LEASE as PAGE_LEASE
from foxing.memory.pages.page_writer import REMOTE_LEASE
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import open_messages, schedule, trash
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.integrity import leases, rows
from foxing.memory.storage.repositories.integrity.rows import TrashRow
from foxing.memory.storage.repositories.schedule import JobKind
from foxing.memory.values.policy import Policy
from foxing.renderer import PageLayout
from foxing.renderer.clock import later

from .problem import Problem, in_bank, in_one

SKEW = timedelta(minutes=1)  # by which the clock of another machine may be ahead
_RESTORE = "delete it by a purge, or restore a backup"


def check_leases(database: Database) -> Iterator[Problem]:
    """Leases on pages that end later than any that is taken now, or that lack an owner or an end."""
    latest = datetime.now(UTC) + max(PAGE_LEASE, REMOTE_LEASE) + SKEW
    with database.read() as connection:
        found = leases.page_leases_beyond(connection, latest)
    for lease in found:
        yield Problem(
            f"page {lease.page} of bank {lease.bank} is leased to {lease.owner} until {lease.until}",
            in_one(database, partial(leases.end_page_lease, lease=lease)),
        )


def check_jobs(database: Database) -> Iterator[Problem]:
    """Jobs that no worker would take, or that contradict themselves."""
    now = datetime.now(UTC)
    with database.read() as connection:
        found = leases.odd_jobs(connection, now + JOB_LEASE + SKEW, now + LONGEST_PAUSE + SKEW)
    for job in found:
        yield Problem(
            f"job '{job.kind}' of bank {job.bank} is {job.state}, leased to {job.owner} until {job.until}, and runs "
            f"after {job.run_after}",
            in_one(database, partial(leases.reset_job, job=job, now=now)),
        )


def check_schedule(database: Database, codecs: CodecSource, bank: Bank) -> Iterator[Problem]:
    """What becomes due without the clock looking at the bank by then."""
    with database.read() as connection:
        try:
            policy = Policy.parse(bank.policy)
        except InvalidPolicy:
            return  # another check says so
        due = _due_times(connection, bank.id, policy, codecs)
        at = {kind: time for kind, time in due.items() if time is not None}
        late = [kind for kind, time in at.items() if _is_late(connection, bank.id, kind, time, codecs.name)]
    for kind in late:
        repair = in_bank(database, bank.id, partial(schedule.bring_forward, bank_id=bank.id, kind=kind))
        yield Problem(f"the clock would not look at bank {bank.name} in time to {kind}", repair)


def _due_times(
    connection: Connection, bank_id: int, policy: Policy, codecs: CodecSource
) -> dict[JobKind, datetime | None]:
    oldest = open_messages.oldest(connection, bank_id, policy.age_from)
    return {
        "seal": None if oldest is None else later(oldest, policy.seal_after),
        "age": next_due(schedule.groups_to_age(connection, bank_id, policy.age_from), policy, codecs.current().tiers),
        "purge": trash.next_purge(connection, bank_id),
    }


def _is_late(connection: Connection, bank_id: int, kind: JobKind, at: datetime, codec: str) -> bool:
    row = schedule.find(connection, bank_id, kind)
    if row is None:
        return True
    if row.codec is not None and row.codec != codec:
        return False  # looked at with the next tick
    return row.due_at is None or row.due_at > at


def check_trash(database: Database, bank: Bank) -> Iterator[tuple[int, list[Problem]]]:
    """What could not be restored although its undo window has not passed; entries looked at, and what is wrong."""
    after = 0
    while True:
        with database.read() as connection:
            found = rows.trash_after(connection, bank.id, after, 128)
        if not found:
            return
        after = found[-1].id
        faults = ((entry, _entry_fault(entry)) for entry in found)
        yield (
            len(found),
            [
                Problem(f"the trash of bank {bank.name}, page {entry.page} at version {entry.version}: {fault}")
                for entry, fault in faults
                if fault is not None
            ],
        )


def _entry_fault(entry: TrashRow) -> str | None:
    if entry.purge_at < entry.dropped_at:
        return f"it is purged before it is dropped; {_RESTORE}"
    # sealing a page drops its text from that same version; every other step makes a new one
    latest = entry.page_version if entry.tokens is None and entry.parts is None else entry.page_version - 1
    if entry.version > latest:
        return f"its page is at version {entry.page_version}; {_RESTORE}"
    try:
        if entry.tokens is not None and unpack_tokens(entry.tokens).tier != entry.tier:
            return f"its tokens are not of '{entry.tier}'; {_RESTORE}"
        if entry.text is not None and stands_alone(entry.text):
            unpack_text(entry.text, PageLayout.from_dict(entry.layout).columns)
        elif entry.text is not None:
            unpack_differences(entry.text)
        if entry.parts is not None:
            json.loads(zstandard.ZstdDecompressor().decompress(entry.parts))
    except (TokensError, TokensDamaged, zstandard.ZstdError, ValueError) as error:
        return str(error)
    return None
