"""The wastebasket: what ageing dropped, until the undo window has passed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from foxing.memory.clock import later
from foxing.memory.storage import schema

from . import schedule
from .pages import PageRow

_c = schema.wastebasket.c


def purge_time(now: datetime, undo_window: timedelta) -> datetime:
    """When the undo window of what is dropped at `now` ends."""
    return later(now, undo_window)


def drop(
    connection: Connection,
    page: PageRow,
    *,
    tokens: bytes | None,
    text: bytes | None,
    dropped_at: datetime,
    purge_at: datetime,
) -> None:
    """Puts the tokens of `page`, its exact text or both into the wastebasket."""
    values = {
        "bank_id": page.bank_id,
        "page_id": page.id,
        "version": page.version,
        "tier": page.tier,
        "tokens": tokens,
        "text": text,
        "dropped_at": dropped_at,
        "purge_at": purge_at,
    }
    connection.execute(schema.wastebasket.insert().values(values))
    schedule.bring_forward(connection, page.bank_id, "purge", purge_at)


def latest_purge(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    """Page id → when the last of its undo windows ends, for pages of which something can be restored at `now`."""
    query = (
        select(_c.page_id, func.max(_c.purge_at).label("until"))
        .where(_c.page_id.in_(page_ids), _c.purge_at > now)
        .group_by(_c.page_id)
    )
    return {row.page_id: row.until for row in connection.execute(query)}


def empty(connection: Connection, page_id: int) -> None:
    """Deletes everything of a page from the wastebasket, whether or not its undo window has passed."""
    connection.execute(schema.wastebasket.delete().where(_c.page_id == page_id))


def purge(connection: Connection, bank_id: int, now: datetime) -> int:
    """Deletes the entries of a bank whose undo window has passed; returns how many."""
    return connection.execute(schema.wastebasket.delete().where(_c.bank_id == bank_id, _c.purge_at <= now)).rowcount


def count_expired(connection: Connection, bank_id: int, now: datetime) -> int:
    """Entries of a bank whose undo window has passed."""
    query = select(func.count()).select_from(schema.wastebasket).where(_c.bank_id == bank_id, _c.purge_at <= now)
    return connection.execute(query).scalar_one()


def next_purge(connection: Connection, bank_id: int) -> datetime | None:
    """When the first undo window of a bank ends."""
    time: datetime | None = connection.execute(select(func.min(_c.purge_at)).where(_c.bank_id == bank_id)).scalar_one()
    return time
