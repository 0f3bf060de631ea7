"""SQL of the age of pages, see `Policy.age_of`, and of open messages."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, func, literal, select

from foxing.memory.values.policy import Age, AgeFrom

from . import schema

_p = schema.pages.c
_m = schema.messages.c


class PageGroup(NamedTuple):
    """Pages at one tier, either all with exact text or all without."""

    tier: str
    has_text: bool
    #: Age of the oldest page.
    age: Age


def reached(age: timedelta, now: datetime, age_from: AgeFrom) -> ColumnElement[bool]:
    """Returns the condition that a page has an age at `now`."""
    return started(literal(now - age, _p.last_at.type), age_from)


def started(time: ColumnElement[datetime], age_from: AgeFrom) -> ColumnElement[bool]:
    """Returns the condition that the age of a page has started by a time."""
    return _start(_p.last_at, _p.arrived_at, age_from) <= time


def oldest_pages(connection: Connection, bank_id: int, age_from: AgeFrom) -> list[PageGroup]:
    """Returns the unpinned pages of a bank, grouped by tier and kept text."""
    group = _p.tier, _p.text_kept
    query = select(*group, func.min(_start(_p.last_at, _p.arrived_at, age_from)))
    query = query.where(_p.bank_id == bank_id, ~_p.pinned).group_by(*group)
    return [PageGroup(tier, text, Age(start)) for tier, text, start in connection.execute(query)]


def oldest_open(connection: Connection, bank_id: int, age_from: AgeFrom) -> Age | None:
    """Returns the age of the oldest open message; None if there is none."""
    query = select(func.min(_start(_m.created_at, _m.arrived_at, age_from))).where(_m.bank_id == bank_id)
    start = connection.execute(query).scalar_one()
    return None if start is None else Age(start)


def _start(
    last_at: ColumnElement[datetime], arrived_at: ColumnElement[datetime], age_from: AgeFrom
) -> ColumnElement[datetime]:
    return case((arrived_at > last_at, arrived_at), else_=last_at) if age_from == "arrival" else last_at
