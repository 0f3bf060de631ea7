"""What ageing dropped, until the undo window has passed; and the idempotency keys of writes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from foxing.memory.storage import schema

from .pages import PageRow

_t = schema.wastebasket.c


def purge_time(now: datetime, undo_window: timedelta) -> datetime:
    """When what is dropped at `now` is past its undo window."""
    try:
        return now + undo_window
    except OverflowError:  # past the year 9999
        return datetime.max.replace(tzinfo=UTC)


def drop(
    connection: Connection,
    page: PageRow,
    *,
    tokens: bytes | None,
    text: bytes | None,
    dropped_at: datetime,
    purge_at: datetime,
) -> None:
    """Puts the sharper tokens, the exact text or both of `page` into the wastebasket."""
    connection.execute(
        schema.wastebasket.insert().values(
            bank_id=page.bank_id,
            page_id=page.id,
            version=page.version,
            tier=page.tier,
            tokens=tokens,
            text=text,
            dropped_at=dropped_at,
            purge_at=purge_at,
        )
    )


def latest_purge(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    """Page id → until when something of it can still be brought back, for those of which something can at `now`."""
    query = (
        select(_t.page_id, func.max(_t.purge_at).label("until"))
        .where(_t.page_id.in_(page_ids), _t.purge_at > now)
        .group_by(_t.page_id)
    )
    return {row.page_id: row.until for row in connection.execute(query)}


def empty(connection: Connection, page_id: int) -> None:
    """Deletes what lies here of a page, for good."""
    connection.execute(schema.wastebasket.delete().where(_t.page_id == page_id))


def purge(connection: Connection, bank_id: int, now: datetime) -> int:
    """Deletes what is past its undo window for good."""
    return connection.execute(schema.wastebasket.delete().where(_t.bank_id == bank_id, _t.purge_at <= now)).rowcount


def count_expired(connection: Connection, bank_id: int, now: datetime) -> int:
    query = select(func.count()).select_from(schema.wastebasket).where(_t.bank_id == bank_id, _t.purge_at <= now)
    return connection.execute(query).scalar_one()


def size_bytes(connection: Connection, bank_id: int) -> int:
    size = func.coalesce(func.length(_t.tokens), 0) + func.coalesce(func.length(_t.text), 0)
    query = select(func.coalesce(func.sum(size), 0)).where(_t.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())
