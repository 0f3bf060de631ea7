"""The queue of jobs: filling it, taking a job under a lease, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import dialect_of, insert_into
from foxing.renderer.clock import MAX_CLOCK_SKEW

from .schedule import AT_ONCE, KINDS, JobKind

_c = schema.jobs.c
_due = schema.schedule.c

TAKE_LOCK = 0x6A6F6273  # "jobs": of PostgreSQL's advisory locks, the one of whoever takes a job


@dataclass(frozen=True)
class Job:
    """A job that a worker has taken."""

    id: int
    bank_id: int
    bank: str
    kind: JobKind
    #: How often it was taken, this time included.
    attempts: int
    #: Whose lease it is under.
    owner: str


@dataclass(frozen=True)
class QueueLength:
    """How many jobs there are."""

    #: Jobs that wait for a worker or for their next attempt.
    waiting: int
    #: Jobs that a worker has taken.
    running: int
    #: Waiting jobs whose last attempt failed.
    failed: int


@dataclass(frozen=True)
class QueueLag:
    """How far the workers are behind, in seconds."""

    #: Since the oldest job that nobody has taken was to be done; 0 if there is none.
    oldest_job_s: float
    #: Since the first page that is still to age became due; 0 if none is.
    oldest_page_s: float


@dataclass(frozen=True)
class Lease:
    """Who works on a job, and until when nobody else may; real time, even where the memory's clock has been moved."""

    owner: str
    now: datetime
    length: timedelta

    @property
    def until(self) -> datetime:
        return self.now + self.length


def is_due(connection: Connection, now: datetime, codec: str) -> bool:
    """Whether `fill` would find anything due. Reads only, so that an idle clock disturbs no writer."""
    return connection.execute(select(_due.bank_id).where(_due_at(now, codec)).limit(1)).first() is not None


def fill(connection: Connection, now: datetime, *, codec: str, created_at: datetime) -> int:
    """Adds a job for whatever is due at `now`, and for times worked out for another codec than `codec`; returns how
    many. Work that has a job already gets no second one."""
    return _add(connection, _due_at(now, codec), created_at)


def add_following(connection: Connection, job: Job, now: datetime, created_at: datetime) -> int:
    """Adds the jobs of the same bank that are done after this one and are due at `now`; returns how many."""
    later = KINDS[KINDS.index(job.kind) + 1 :]
    return _add(connection, and_(_due.bank_id == job.bank_id, _due.kind.in_(later), _due.due_at <= now), created_at)


def _due_at(now: datetime, codec: str) -> ColumnElement[bool]:
    return or_(_due.due_at <= now, _due.codec < codec, _due.codec > codec)  # ranges, because an index serves them


def _add(connection: Connection, due: ColumnElement[bool], created_at: datetime) -> int:
    at = literal(created_at, columns.UtcDateTime)
    number = case({kind: number for number, kind in enumerate(KINDS)}, value=_due.kind)
    order = (_due.kind != "purge", _due.bank_id, number)  # what is to be gone does not wait for ageing
    rows = select(_due.bank_id, _due.kind, literal("waiting"), at, at).where(due).order_by(*order)
    statement = insert_into(connection, schema.jobs)
    insert = statement.from_select(["bank_id", "kind", "state", "run_after", "created_at"], rows)
    counted = insert.on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(counted).rowcount


def _free(now: datetime) -> ColumnElement[bool]:
    """Jobs that nobody works on: waiting ones, and those of a worker that was killed."""
    return or_(_c.state == "waiting", _c.lease_until <= now, _c.lease_until > now + MAX_CLOCK_SKEW)


def _ready(now: datetime) -> ColumnElement[bool]:
    """Jobs whose pause has passed."""
    return or_(_c.run_after <= now, _c.run_after > now + MAX_CLOCK_SKEW)


def has_free(connection: Connection, now: datetime, *, retry_at_once: bool = False) -> bool:
    """Whether there is a job that nobody works on. Reads only."""
    query = select(_c.id).where(_free(now)).limit(1)
    if not retry_at_once:
        query = query.where(_ready(now))
    return connection.execute(query).first() is not None


def take(
    connection: Connection, lease: Lease, *, retry_at_once: bool = False, after_id: int | None = None
) -> Job | None:
    """Takes the oldest job that nobody works on, in a bank in which nobody works, purging first; None if there is none.

    `retry_at_once`: whether failed jobs are taken before their pause has passed. `after_id`: jobs up to this id stay,
    and the order is that of the ids.
    """
    # two that take at once do not see that the other takes from the same bank
    dialect_of(connection).lock(connection, TAKE_LOCK)
    others = schema.jobs.alias()
    busy = select(others.c.id).where(
        others.c.bank_id == _c.bank_id,
        others.c.state == "running",
        others.c.lease_until > lease.now,
        others.c.lease_until <= lease.now + MAX_CLOCK_SKEW,
    )
    query = select(_c.id).where(_free(lease.now), ~busy.exists()).limit(1)
    if after_id is None:
        query = query.order_by(_c.kind != "purge", _c.id)
    else:
        query = query.where(_c.id > after_id).order_by(_c.id)
    if not retry_at_once:
        query = query.where(_ready(lease.now))
    job_id = connection.execute(query.with_for_update(skip_locked=True)).scalar()
    if job_id is None:
        return None
    values = {"state": "running", "lease_owner": lease.owner, "lease_until": lease.until, "attempts": _c.attempts + 1}
    connection.execute(schema.jobs.update().where(_c.id == job_id).values(values))
    return Job(*connection.execute(_taken().where(_c.id == job_id)).one())


def _taken() -> Select[Any]:
    columns = (_c.id, _c.bank_id, schema.banks.c.name, _c.kind, _c.attempts, _c.lease_owner)
    return select(*columns).join_from(schema.jobs, schema.banks, schema.banks.c.id == _c.bank_id)


def running(connection: Connection, kind: JobKind, now: datetime) -> list[Job]:
    """Jobs of a kind that workers have taken and whose leases hold, the oldest first. Reads only."""
    held = (_c.kind == kind, _c.state == "running", _c.lease_until > now, _c.lease_until <= now + MAX_CLOCK_SKEW)
    return [Job(*row) for row in connection.execute(_taken().where(*held).order_by(_c.id))]


def extend(connection: Connection, job: Job, until: datetime) -> bool:
    """Extends the lease of a job; False if its owner has lost it."""
    return connection.execute(schema.jobs.update().where(*_mine(job)).values(lease_until=until)).rowcount == 1


def finish(connection: Connection, job: Job) -> bool:
    """Deletes a job that is done; False if its owner has lost the lease."""
    return connection.execute(schema.jobs.delete().where(*_mine(job))).rowcount == 1


def put_back(connection: Connection, job: Job, run_after: datetime, error: str | None = None) -> bool:
    """Returns a job to the queue until `run_after`, because of `error` or untried; False if its owner has lost the
    lease."""
    values: dict[str, Any] = {"state": "waiting", "run_after": run_after, "lease_owner": None, "lease_until": None}
    if error is None:
        values["attempts"] = _c.attempts - 1
    else:
        values["last_error"] = error
    return connection.execute(schema.jobs.update().where(*_mine(job)).values(values)).rowcount == 1


def _mine(job: Job) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _c.id == job.id, _c.lease_owner == job.owner


def length(connection: Connection) -> QueueLength:
    waiting = func.count().filter(_c.state == "waiting")
    failed = func.count().filter(_c.state == "waiting", _c.last_error.is_not(None))
    running = func.count().filter(_c.state == "running")
    return QueueLength(*connection.execute(select(waiting, running, failed).select_from(schema.jobs)).one())


def lag(connection: Connection, now: datetime, clock: datetime) -> QueueLag:
    """How far the workers are behind. `now`: the memory's time, which pages age by; `clock`: real time."""
    waits = select(func.min(_c.run_after)).where(_c.state == "waiting", _c.run_after <= clock)
    due = select(func.min(_due.due_at)).where(_due.kind == "age", _due.due_at <= now, _due.due_at > AT_ONCE)
    job, page = connection.execute(waits).scalar(), connection.execute(due).scalar()
    ages = [0.0 if time is None else (at - time).total_seconds() for time, at in ((job, clock), (page, now))]
    return QueueLag(*ages)
