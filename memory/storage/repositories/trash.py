"""Trash: contents dropped by ageing, kept until the undo window has passed."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import zstandard
from sqlalchemy import ColumnElement, Connection, and_, func, select

from foxing.memory.storage import columns, schema
from foxing.renderer.clock import later

from . import image_trash, pages, schedule
from .blobs import contents as blobs
from .pages import KeepsakeRow, PageParts, PageRow, SpanRow
from .sealed import changes

_c = schema.trash.c
_ZSTD_LEVEL = 19


def purge_time(now: datetime, undo_window: timedelta) -> datetime:
    """Returns the end of the undo window of contents dropped at `now`."""
    return later(now, undo_window)


class DroppedPage(NamedTuple):
    """Contents of a page dropped by one step of ageing."""

    #: Vision tokens; None if they were not replaced.
    tokens: bytes | None
    #: Exact text; None if it was kept, or dropped before.
    text: bytes | None
    #: Spans and keepsakes, packed by `pack_parts`; None if they did not change.
    parts: bytes | None = None


def pack_parts(connection: Connection, page: PageRow) -> bytes:
    """Returns the rows in use of a page, its spans and its keepsakes, as compressed JSON."""
    parts = pages.parts_of(connection, [page.id])[page.id]
    packed = {
        "rows_used": page.rows_used,
        "spans": [span[1:] for span in parts.spans],
        "keepsakes": [keepsake[1:] for keepsake in parts.keepsakes],
    }
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(json.dumps(packed, separators=(",", ":")).encode())


def unpack_parts(page_id: int, packed: bytes) -> tuple[int, PageParts]:
    """Decodes the result of `pack_parts`. Returns the rows in use, and the spans and keepsakes."""
    stored = json.loads(zstandard.ZstdDecompressor().decompress(packed))
    spans = [SpanRow(page_id, *values) for values in stored["spans"]]
    return stored["rows_used"], PageParts(spans, [KeepsakeRow(page_id, *values) for values in stored["keepsakes"]])


def drop(
    connection: Connection, page: PageRow, dropped: DroppedPage, *, dropped_at: datetime, purge_at: datetime
) -> None:
    """Adds an entry with contents dropped from `page`, which is given as it was before."""
    stored = DroppedPage(*blobs.put(connection, page.bank_id, dropped))
    values = {
        "bank_id": page.bank_id,
        "page_id": page.id,
        "version": page.version,
        "tier": page.tier,
        **stored._asdict(),
        "facts_faded": page.facts_faded,
        "dropped_at": dropped_at,
        "purge_at": purge_at,
    }
    connection.execute(schema.trash.insert().values(values))
    schedule.bring_forward(connection, page.bank_id, "purge", purge_at)


def latest_purge(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    """Returns page id → end of its last undo window, for pages that can be restored at `now`."""
    query = (
        select(_c.page_id, func.max(_c.purge_at).label("until"))
        .where(_c.page_id.in_(page_ids), _c.purge_at > now)
        .group_by(_c.page_id)
    )
    return {row.page_id: row.until for row in connection.execute(query)}


class TrashEntry(NamedTuple):
    """Entry for one step of ageing, which changed the page at `version`."""

    id: int
    page_id: int
    version: int
    tier: str
    #: True if facts had faded before.
    facts_faded: bool
    dropped_at: datetime
    purge_at: datetime


def entries(connection: Connection, bank_id: int, page_id: int | None = None) -> dict[int, list[TrashEntry]]:
    """Returns page id → its entries, oldest first, for a bank or one of its pages."""
    query = select(*(_c[name] for name in TrashEntry._fields)).where(_c.bank_id == bank_id).order_by(_c.id)
    if page_id is not None:
        query = query.where(_c.page_id == page_id)
    result: dict[int, list[TrashEntry]] = {}
    for row in connection.execute(query):
        result.setdefault(row.page_id, []).append(TrashEntry(*row))
    return result


def dropped(connection: Connection, entry_ids: Sequence[int]) -> dict[int, DroppedPage]:
    """Returns entry id → dropped contents, for entries that still exist."""
    query = select(_c.id, _c.bank_id, _c.tokens, _c.text, _c.parts)
    rows = connection.execute(query.where(columns.among(_c.id, entry_ids))).all()
    stored = blobs.get(connection, [(row.bank_id, item) for row in rows for item in row[2:]])
    return {row.id: DroppedPage(*stored[3 * n : 3 * n + 3]) for n, row in enumerate(rows)}


def remove(connection: Connection, entry_ids: Sequence[int]) -> None:
    """Deletes entries that were restored. The digests of their messages are kept."""
    _delete(connection, columns.among(_c.id, entry_ids))


def unrestorable_pages(connection: Connection, bank_id: int, now: datetime) -> list[str]:
    """Returns the keys of pages without exact text that cannot be restored at `now`."""
    page = schema.pages.c
    waiting = select(_c.id).where(_c.page_id == page.id, _c.purge_at > now)
    query = select(page.key).where(page.bank_id == bank_id, ~page.text_kept, ~waiting.exists())
    return list(connection.execute(query.order_by(page.last_at, page.id)).scalars())


def delete_page(connection: Connection, page: PageRow) -> None:
    """Deletes a page with all its trash entries."""
    changes.remove(connection, page.bank_id, page.id)
    contents = schema.page_contents.c
    blobs.release(connection, [contents.tokens, contents.text], contents.page_id == page.id)
    _delete(connection, _c.page_id == page.id)
    for table in (schema.keepsakes, schema.page_contents):
        connection.execute(table.delete().where(table.c.page_id == page.id))
    connection.execute(schema.pages.delete().where(schema.pages.c.id == page.id))


def empty(connection: Connection, page: PageRow) -> None:
    """Deletes all trash entries of a page, regardless of the undo window."""
    _delete(connection, _c.page_id == page.id)
    changes.forget_digests(connection, page.bank_id, [page.id])


def purge(connection: Connection, bank_id: int, now: datetime) -> int:
    """Deletes the entries of a bank whose undo window has passed, and the files of images. Returns how many entries."""
    image_trash.purge(connection, bank_id, now)
    expired = and_(_c.bank_id == bank_id, _is_expired(now))
    page_ids = connection.scalars(select(_c.page_id).where(expired).distinct()).all()
    purged = _delete(connection, expired)
    changes.forget_digests(connection, bank_id, page_ids)
    return purged


def _delete(connection: Connection, where: ColumnElement[bool]) -> int:
    """Deletes entries. Returns how many."""
    blobs.release(connection, [_c.tokens, _c.text, _c.parts], where)
    return connection.execute(schema.trash.delete().where(where)).rowcount


def _is_expired(now: datetime) -> ColumnElement[bool]:
    """Returns the condition of entries whose undo window has passed. An entry lacks contents that its step did not
    drop; they are in the next one, which therefore stays as long, as after a change to a shorter undo window."""
    older = schema.trash.alias()
    restorable = select(older.c.id).where(older.c.page_id == _c.page_id, older.c.id < _c.id, older.c.purge_at > now)
    return and_(_c.purge_at <= now, ~restorable.exists())


def count_expired(connection: Connection, bank_id: int, now: datetime) -> int:
    """Returns the number of entries of a bank whose undo window has passed."""
    query = select(func.count()).select_from(schema.trash).where(_c.bank_id == bank_id, _is_expired(now))
    return connection.execute(query).scalar_one()


def next_purge(connection: Connection, bank_id: int) -> datetime | None:
    """Returns the end of the first undo window of a bank; None if the trash is empty."""
    older = schema.trash.alias()
    has_older = select(older.c.id).where(older.c.page_id == _c.page_id, older.c.id < _c.id).exists()
    first = connection.execute(select(func.min(_c.purge_at)).where(_c.bank_id == bank_id, ~has_older)).scalar_one()
    times = [time for time in (first, image_trash.next_purge(connection, bank_id)) if time is not None]
    return min(times, default=None)
