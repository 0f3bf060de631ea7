"""Leases and jobs as no worker leaves them."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from foxing.memory.storage import schema
from foxing.memory.storage.repositories.schedule import KINDS

_p = schema.pages.c
_j = schema.jobs.c
STATES = ("waiting", "running")


class PageLease(NamedTuple):
    """A lease on a page."""

    page_id: int
    bank: str
    page: str
    owner: str | None
    until: datetime | None


class JobRow(NamedTuple):
    """A job as it stands in the table."""

    id: int
    bank: str
    kind: str
    state: str
    owner: str | None
    until: datetime | None
    run_after: datetime


def page_leases_beyond(connection: Connection, latest: datetime) -> list[PageLease]:
    """Leases on pages that end after `latest`, have no end, or have no owner."""
    query = select(_p.id, schema.banks.c.name, _p.key, _p.lease_owner, _p.lease_until)
    query = query.join_from(schema.pages, schema.banks, schema.banks.c.id == _p.bank_id)
    half = _p.lease_owner.is_(None) != _p.lease_until.is_(None)
    return [PageLease(*row) for row in connection.execute(query.where(or_(_p.lease_until > latest, half)))]


def end_page_lease(connection: Connection, lease: PageLease) -> bool:
    """Ends that lease; False if it is gone."""
    same = (_p.id == lease.page_id, _same(_p.lease_owner, lease.owner), _same(_p.lease_until, lease.until))
    update = schema.pages.update().where(*same).values(lease_owner=None, lease_until=None)
    return connection.execute(update).rowcount == 1


def odd_jobs(connection: Connection, latest_lease: datetime, latest_run: datetime) -> list[JobRow]:
    """Jobs of an unknown kind or state, leased beyond `latest_lease`, waiting beyond `latest_run`, or whose state and
    lease contradict each other."""
    leased = and_(_j.lease_until.is_not(None), _j.lease_owner.is_not(None))
    unleased = and_(_j.lease_until.is_(None), _j.lease_owner.is_(None))
    odd = or_(
        _j.kind.not_in(KINDS),
        _j.state.not_in(STATES),
        and_(_j.state == "running", or_(~leased, _j.lease_until > latest_lease)),
        and_(_j.state == "waiting", or_(~unleased, _j.run_after > latest_run)),
    )
    query = select(
        _j.id, schema.banks.c.name, _j.kind, _j.state, _j.lease_owner, _j.lease_until, _j.run_after
    ).join_from(schema.jobs, schema.banks, schema.banks.c.id == _j.bank_id)
    return [JobRow(*row) for row in connection.execute(query.where(odd).order_by(_j.id))]


def reset_job(connection: Connection, job: JobRow, now: datetime) -> bool:
    """Has a job wait for a worker from `now` on, or deletes it if its kind is unknown: the clock adds what is due.
    False if it has changed."""
    same = (_j.id == job.id, _j.state == job.state, _same(_j.lease_owner, job.owner), _j.run_after == job.run_after)
    if job.kind not in KINDS:
        return connection.execute(schema.jobs.delete().where(*same)).rowcount == 1
    values = {"state": "waiting", "run_after": now, "lease_owner": None, "lease_until": None}
    return connection.execute(schema.jobs.update().where(*same).values(values)).rowcount == 1


def _same(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value
