"""Job queue: adding due jobs, taking a job under a lease, finishing it or putting it back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import dialect_of, insert_into
from foxing.renderer.clock import MAX_CLOCK_SKEW

from .schedule import ALWAYS_DUE, KINDS, JobKind, following_kinds

_c = schema.jobs.c
_due = schema.schedule.c

TAKE_LOCK = 0x6A6F6273  # "jobs": key of the advisory lock for taking a job


@dataclass(frozen=True)
class DueJob:
    """Job taken by a worker."""

    id: int
    bank_id: int
    bank: str
    kind: JobKind
    #: Number of attempts, including this one.
    attempts: int
    #: Owner of the lease.
    owner: str


@dataclass(frozen=True)
class QueueLength:
    """Number of jobs by state."""

    #: Jobs that wait for a worker or for their next attempt.
    waiting: int
    #: Jobs that a worker has taken.
    running: int
    #: Waiting jobs whose last attempt failed.
    failed: int


@dataclass(frozen=True)
class QueueLag:
    """Delay of the workers, in seconds."""

    #: Time since the oldest waiting job was due to run; 0 if there is none.
    oldest_job_s: float
    #: Time since the first page to age became due; 0 if none is due. For a bank in which a worker has not looked yet
    #: when pages are due, the time since its last page was sealed.
    oldest_page_s: float


@dataclass(frozen=True)
class Lease:
    """Exclusive claim of a worker on a job, in real time even if the memory's clock is shifted."""

    owner: str
    now: datetime
    length: timedelta

    @property
    def until(self) -> datetime:
        """Time at which the lease expires."""
        return self.now + self.length


def is_due(connection: Connection, now: datetime, codec: str) -> bool:
    """True if `fill` would find anything due. Reads only, so that an idle clock takes no write lock."""
    return connection.execute(select(_due.bank_id).where(_due_at(now, codec)).limit(1)).first() is not None


def fill(connection: Connection, now: datetime, *, codec: str, created_at: datetime) -> int:
    """Adds jobs for all entries of the schedule that are due at `now`, or were computed for another codec than `codec`.
    Returns how many. Entries that already have a job get no second one."""
    return _add(connection, _due_at(now, codec), created_at)


def add_following(connection: Connection, job: DueJob, now: datetime, created_at: datetime) -> int:
    """Adds the jobs of the same bank that come after this kind and are due at `now`. Returns how many."""
    kinds = following_kinds(job.kind)
    return _add(connection, and_(_due.bank_id == job.bank_id, _due.kind.in_(kinds), _due.due_at <= now), created_at)


def _due_at(now: datetime, codec: str) -> ColumnElement[bool]:
    return or_(_due.due_at <= now, _due.codec < codec, _due.codec > codec)  # range conditions can use an index


def _add(connection: Connection, due: ColumnElement[bool], created_at: datetime) -> int:
    at = literal(created_at, columns.UtcDateTime)
    number = case({kind: number for number, kind in enumerate(KINDS)}, value=_due.kind)
    order = (_due.kind != "purge", _due.bank_id, number)  # purging does not wait for ageing
    rows = select(_due.bank_id, _due.kind, literal("waiting"), at, at).where(due).order_by(*order)
    statement = insert_into(connection, schema.jobs)
    insert = statement.from_select(["bank_id", "kind", "state", "run_after", "created_at"], rows)
    counted = insert.on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(counted).rowcount


def _free(now: datetime) -> ColumnElement[bool]:
    """Returns the condition of jobs that no worker holds: waiting ones, and those of killed workers."""
    return or_(_c.state == "waiting", _c.lease_until <= now, _c.lease_until > now + MAX_CLOCK_SKEW)


def _ready(now: datetime) -> ColumnElement[bool]:
    """Returns the condition of jobs whose retry delay has passed."""
    return or_(_c.run_after <= now, _c.run_after > now + MAX_CLOCK_SKEW)


def has_free(connection: Connection, now: datetime, *, ignore_delay: bool = False) -> bool:
    """True if there is a job that no worker holds. Reads only."""
    query = select(_c.id).where(_free(now)).limit(1)
    if not ignore_delay:
        query = query.where(_ready(now))
    return connection.execute(query).first() is not None


def take(
    connection: Connection,
    lease: Lease,
    *,
    ignore_delay: bool = False,
    after_id: int | None = None,
    after_tenant: str | None = None,
) -> DueJob | None:
    """Takes the oldest free job of a bank in which no job is running, purging first. Returns None if there is none.

    `ignore_delay`: True to ignore the retry delay of failed jobs. `after_id`: only jobs with higher ids, in order of
    id. `after_tenant`: name of the tenant that had its turn, empty for none: those that follow it by name come first.
    """
    # concurrent calls would not see each other's job in the same bank
    dialect_of(connection).lock(connection, TAKE_LOCK)
    others = schema.jobs.alias()
    busy = select(others.c.id).where(
        others.c.bank_id == _c.bank_id,
        others.c.state == "running",
        others.c.lease_until > lease.now,
        others.c.lease_until <= lease.now + MAX_CLOCK_SKEW,
    )
    tenant = func.coalesce(schema.banks.c.tenant, "")
    query = select(_c.id).join_from(schema.jobs, schema.banks, schema.banks.c.id == _c.bank_id)
    query = query.where(_free(lease.now), ~busy.exists()).limit(1)
    if after_id is None:
        turn = () if after_tenant is None else (tenant <= after_tenant, tenant)
        query = query.order_by(_c.kind != "purge", *turn, _c.id)
    else:
        query = query.where(_c.id > after_id).order_by(_c.id)
    if not ignore_delay:
        query = query.where(_ready(lease.now))
    job_id = connection.execute(query.with_for_update(skip_locked=True, of=schema.jobs)).scalar()
    if job_id is None:
        return None
    values = {"state": "running", "lease_owner": lease.owner, "lease_until": lease.until, "attempts": _c.attempts + 1}
    connection.execute(schema.jobs.update().where(_c.id == job_id).values(values))
    return DueJob(*connection.execute(_taken().where(_c.id == job_id)).one())


def _taken() -> Select[Any]:
    columns = (_c.id, _c.bank_id, schema.banks.c.name, _c.kind, _c.attempts, _c.lease_owner)
    return select(*columns).join_from(schema.jobs, schema.banks, schema.banks.c.id == _c.bank_id)


def running(connection: Connection, kind: JobKind, now: datetime) -> list[DueJob]:
    """Returns the jobs of a kind that workers hold under a valid lease, oldest first. Reads only."""
    conditions = (_c.kind == kind, _c.state == "running", _c.lease_until > now, _c.lease_until <= now + MAX_CLOCK_SKEW)
    return [DueJob(*row) for row in connection.execute(_taken().where(*conditions).order_by(_c.id))]


def extend(connection: Connection, job: DueJob, until: datetime) -> bool:
    """Extends the lease of a job. Returns False if its owner has lost it."""
    return connection.execute(schema.jobs.update().where(*_mine(job)).values(lease_until=until)).rowcount == 1


def finish(connection: Connection, job: DueJob) -> bool:
    """Deletes a finished job. Returns False if its owner has lost the lease."""
    return connection.execute(schema.jobs.delete().where(*_mine(job))).rowcount == 1


def put_back(connection: Connection, job: DueJob, run_after: datetime, error: str | None = None) -> bool:
    """Returns a job to the queue until `run_after`, with `error` if it failed. Returns False if its owner has lost the
    lease."""
    values: dict[str, Any] = {"state": "waiting", "run_after": run_after, "lease_owner": None, "lease_until": None}
    if error is None:
        values["attempts"] = _c.attempts - 1
    else:
        values["last_error"] = error
    return connection.execute(schema.jobs.update().where(*_mine(job)).values(values)).rowcount == 1


def _mine(job: DueJob) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _c.id == job.id, _c.lease_owner == job.owner


def length(connection: Connection) -> QueueLength:
    """Returns the number of jobs by state."""
    waiting = func.count().filter(_c.state == "waiting")
    failed = func.count().filter(_c.state == "waiting", _c.last_error.is_not(None))
    running = func.count().filter(_c.state == "running")
    return QueueLength(*connection.execute(select(waiting, running, failed).select_from(schema.jobs)).one())


_pages = schema.pages.c
_sealed = select(func.max(_pages.sealed_at).label("at")).join_from(
    schema.schedule, schema.pages, _pages.bank_id == _due.bank_id
)
_sealed = _sealed.where(_due.kind == "age", _due.due_at == ALWAYS_DUE).group_by(_due.bank_id)
#: Time since which the first bank waits for a worker to look when its pages are due.
_unplanned = select(func.min(_sealed.subquery().c.at))


def lag(connection: Connection, now: datetime, clock: datetime) -> QueueLag:
    """Returns the delay of the workers. `now`: time of the memory, by which pages age. `clock`: real time."""
    waits = select(func.min(_c.run_after)).where(_c.state == "waiting", _c.run_after <= clock)
    due = select(func.min(_due.due_at)).where(_due.kind == "age", _due.due_at <= now, _due.due_at > ALWAYS_DUE)
    job = connection.execute(waits).scalar()
    unplanned = connection.execute(_unplanned).scalar()
    page = min((time for time in (connection.execute(due).scalar(), unplanned) if time is not None), default=None)
    ages = [0.0 if time is None else (at - time).total_seconds() for time, at in ((job, clock), (page, now))]
    return QueueLag(*ages)
