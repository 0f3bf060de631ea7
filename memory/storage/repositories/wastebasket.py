"""The wastebasket: what ageing dropped, until the undo window has passed."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime, timedelta
from typing import NamedTuple

import zstandard
from sqlalchemy import Connection, and_, func, select

from foxing.memory.clock import later
from foxing.memory.storage import schema

from . import pages, schedule
from .pages import PageRow
from .sealed import changes

_c = schema.wastebasket.c
_ZSTD_LEVEL = 19


def purge_time(now: datetime, undo_window: timedelta) -> datetime:
    """When the undo window of what is dropped at `now` ends."""
    return later(now, undo_window)


class DroppedPage(NamedTuple):
    """What ageing drops of a page."""

    #: None if its tokens stay.
    tokens: bytes | None
    #: Its exact text; None if that stays, or was dropped before.
    text: bytes | None
    #: Where messages and keepsakes stood on it, packed by `pack_parts`; None if they stay where they are.
    parts: bytes | None = None


def pack_parts(connection: Connection, page: PageRow) -> bytes:
    """The rows in use of a page, its spans and its keepsakes, as compressed JSON."""
    spans = pages.spans_of_pages(connection, [page.id]).get(page.id, [])
    keepsakes = pages.keepsakes_of(connection, [page.id]).get(page.id, [])
    parts = {
        "rows_used": page.rows_used,
        "spans": [astuple(span)[1:] for span in spans],
        "keepsakes": [astuple(keepsake)[1:] for keepsake in keepsakes],
    }
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(json.dumps(parts, separators=(",", ":")).encode())


def drop(
    connection: Connection, page: PageRow, dropped: DroppedPage, *, dropped_at: datetime, purge_at: datetime
) -> None:
    """Puts what is `dropped` of `page`, as it was at its version, into the wastebasket."""
    values = {
        "bank_id": page.bank_id,
        "page_id": page.id,
        "version": page.version,
        "tier": page.tier,
        **dropped._asdict(),
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


def empty(connection: Connection, page: PageRow) -> None:
    """Deletes everything of a page from the wastebasket, whether or not its undo window has passed."""
    connection.execute(schema.wastebasket.delete().where(_c.page_id == page.id))
    changes.forget_digests(connection, page.bank_id, [page.id])


def purge(connection: Connection, bank_id: int, now: datetime) -> int:
    """Deletes the entries of a bank whose undo window has passed; returns how many."""
    expired = and_(_c.bank_id == bank_id, _c.purge_at <= now)
    page_ids = connection.scalars(select(_c.page_id).where(expired).distinct()).all()
    purged = connection.execute(schema.wastebasket.delete().where(expired)).rowcount
    changes.forget_digests(connection, bank_id, page_ids)
    return purged


def count_expired(connection: Connection, bank_id: int, now: datetime) -> int:
    """Entries of a bank whose undo window has passed."""
    query = select(func.count()).select_from(schema.wastebasket).where(_c.bank_id == bank_id, _c.purge_at <= now)
    return connection.execute(query).scalar_one()


def next_purge(connection: Connection, bank_id: int) -> datetime | None:
    """When the first undo window of a bank ends."""
    time: datetime | None = connection.execute(select(func.min(_c.purge_at)).where(_c.bank_id == bank_id)).scalar_one()
    return time
