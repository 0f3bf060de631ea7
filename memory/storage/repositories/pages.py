"""Pages: tokens, kept text, spans and keepsakes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from foxing.memory.errors import NotFound
from foxing.memory.storage import schema

_t = schema.pages.c
_IN = 500


@dataclass(frozen=True)
class PageRow:
    id: int
    key: str
    bank_id: int
    version: int
    tier: str
    codec: str
    layout: dict[str, Any]
    rows_used: int
    pinned: bool
    sealed_at: datetime
    first_at: datetime
    last_at: datetime
    messages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int
    confidence: float


_names = tuple(PageRow.__dataclass_fields__)
_select = select(*(_t[name] for name in _names))


def _page(row: Any) -> PageRow:
    return PageRow(*row)


@dataclass(frozen=True)
class SpanRow:
    page_id: int
    ordinal: int
    message_id: int
    header_start: int
    start: int
    stop: int
    char_start: int
    char_stop: int


@dataclass(frozen=True)
class KeepsakeRow:
    page_id: int
    start: int
    stop: int
    message_id: int
    text: str


def get(connection: Connection, bank_id: int, key: str) -> PageRow:
    """Raises `NotFound`."""
    row = connection.execute(_select.where(_t.bank_id == bank_id, _t.key == key)).first()
    if row is None:
        raise NotFound(f"there is no page '{key}' in this bank; list its pages to see their ids")
    return _page(row)


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, PageRow]:
    result: dict[int, PageRow] = {}
    for start in range(0, len(ids), _IN):
        rows = connection.execute(_select.where(_t.id.in_(ids[start : start + _IN])))
        result |= {row.id: _page(row) for row in rows}
    return result


def list_by_time(
    connection: Connection, bank_id: int, *, tier: str | None, after: tuple[datetime, int] | None, limit: int
) -> list[PageRow]:
    """Pages of a bank by the time of their last message."""
    query = _select.where(_t.bank_id == bank_id).order_by(_t.last_at, _t.id).limit(limit)
    if tier is not None:
        query = query.where(_t.tier == tier)
    if after is not None:
        at, page_id = after
        query = query.where(or_(_t.last_at > at, and_(_t.last_at == at, _t.id > page_id)))
    return [_page(row) for row in connection.execute(query)]


def ageing_candidates(
    connection: Connection, bank_id: int, tiers: Sequence[str], before: datetime, after_id: int, limit: int
) -> list[PageRow]:
    """Unpinned pages, by id, that are held at one of `tiers` or still have their text, and are not from after
    `before`."""
    query = (
        _select.where(_t.bank_id == bank_id, ~_t.pinned, _t.last_at <= before, _t.id > after_id)
        .where(or_(_t.tier.in_(tiers), _t.text_bytes > 0))
        .order_by(_t.id)
        .limit(limit)
    )
    return [_page(row) for row in connection.execute(query)]


def list_after(connection: Connection, bank_id: int, after_id: int, limit: int) -> list[PageRow]:
    """Pages of a bank in the order of their ids, those after `after_id`."""
    query = _select.where(_t.bank_id == bank_id, _t.id > after_id).order_by(_t.id).limit(limit)
    return [_page(row) for row in connection.execute(query)]


def insert(
    connection: Connection,
    values: dict[str, Any],
    tokens: bytes,
    text: bytes | None,
    spans: Sequence[dict[str, Any]],
    keepsakes: Sequence[dict[str, Any]],
) -> PageRow:
    """Inserts a page with all that belongs to it."""
    connection.execute(schema.pages.insert().values(**values))
    page = get(connection, values["bank_id"], values["key"])
    page_id = page.id
    connection.execute(schema.page_contents.insert().values(page_id=page_id, tokens=tokens, text=text))
    _insert_parts(connection, page_id, spans, keepsakes)
    return page


def replace_parts(
    connection: Connection, page_id: int, spans: Sequence[dict[str, Any]], keepsakes: Sequence[dict[str, Any]]
) -> None:
    """Says anew which cells of a page belong to which message, and which are kept exactly."""
    for table in (schema.spans, schema.keepsakes):
        connection.execute(table.delete().where(table.c.page_id == page_id))
    _insert_parts(connection, page_id, spans, keepsakes)


def _insert_parts(
    connection: Connection, page_id: int, spans: Sequence[dict[str, Any]], keepsakes: Sequence[dict[str, Any]]
) -> None:
    if spans:
        connection.execute(schema.spans.insert(), [{**span, "page_id": page_id} for span in spans])
    if keepsakes:
        connection.execute(schema.keepsakes.insert(), [{**item, "page_id": page_id} for item in keepsakes])


def contents(connection: Connection, page_ids: Sequence[int]) -> dict[int, tuple[bytes, bytes | None]]:
    """Page id → (tokens, kept text)."""
    table = schema.page_contents.c
    result: dict[int, tuple[bytes, bytes | None]] = {}
    for start in range(0, len(page_ids), _IN):
        query = select(table.page_id, table.tokens, table.text).where(table.page_id.in_(page_ids[start : start + _IN]))
        result |= {row.page_id: (row.tokens, row.text) for row in connection.execute(query)}
    return result


def swap(
    connection: Connection, page: PageRow, *, tokens: bytes | None, text: bytes | None, values: dict[str, Any]
) -> bool:
    """Compare and swap: writes new contents and `values` if the page still is at `page.version`; False if not.

    `tokens` None leaves the tokens as they are; `text` is written as given.
    """
    update = schema.pages.update().where(_t.id == page.id, _t.version == page.version)
    changed = connection.execute(update.values(version=page.version + 1, lease_owner=None, lease_until=None, **values))
    if changed.rowcount != 1:
        return False
    content: dict[str, Any] = {"text": text}
    if tokens is not None:
        content["tokens"] = tokens
    table = schema.page_contents
    connection.execute(table.update().where(table.c.page_id == page.id).values(**content))
    return True


def lease(
    connection: Connection, page: PageRow, owner: str, now: datetime, until: datetime, *, pinned: bool = False
) -> bool:
    """Claims a page for `owner`; False if another holds it, it has changed, or it is pinned. With `pinned` a pinned
    page is claimed as well."""
    free = or_(_t.lease_until.is_(None), _t.lease_until <= now, _t.lease_owner == owner)
    update = schema.pages.update().where(_t.id == page.id, _t.version == page.version, free)
    if not pinned:
        update = update.where(~_t.pinned)
    return connection.execute(update.values(lease_owner=owner, lease_until=until)).rowcount == 1


def release(connection: Connection, page_ids: Sequence[int], owner: str) -> None:
    connection.execute(
        schema.pages.update()
        .where(_t.id.in_(page_ids), _t.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
    )


def set_pinned(connection: Connection, page_id: int, pinned: bool) -> None:
    """Pins or unpins; the version counts up, so that ageing under way does not overtake a pin."""
    connection.execute(schema.pages.update().where(_t.id == page_id).values(pinned=pinned, version=_t.version + 1))


def spans_of_pages(connection: Connection, page_ids: Sequence[int]) -> dict[int, list[SpanRow]]:
    """Page id → its spans in the order of their cells."""
    return _spans(connection, schema.spans.c.page_id, page_ids, lambda s: s.page_id)


def messages_on(connection: Connection, page_ids: Iterable[int]) -> set[int]:
    """The messages of which something stands on these pages."""
    return {span.message_id for parts in spans_of_pages(connection, sorted(page_ids)).values() for span in parts}


def spans_of_messages(connection: Connection, message_ids: Sequence[int]) -> dict[int, list[SpanRow]]:
    """Message id → its parts in the order of its text."""
    return _spans(connection, schema.spans.c.message_id, message_ids, lambda s: s.message_id)


def kept_exactly(connection: Connection, message_ids: Sequence[int]) -> set[int]:
    """Those of the messages that stand only on pages which keep their text."""
    result: set[int] = set()
    for start in range(0, len(message_ids), _IN):
        part = message_ids[start : start + _IN]
        query = (
            select(schema.spans.c.message_id)
            .join_from(schema.spans, schema.pages, _t.id == schema.spans.c.page_id)
            .where(schema.spans.c.message_id.in_(part))
            .group_by(schema.spans.c.message_id)
            .having(func.min(_t.text_bytes) > 0)
        )
        result |= set(connection.execute(query).scalars())
    return result


def _spans(connection: Connection, column: Any, ids: Sequence[int], key: Any) -> dict[int, list[SpanRow]]:
    table = schema.spans
    result: dict[int, list[SpanRow]] = {}
    for start in range(0, len(ids), _IN):
        query = select(table).where(column.in_(ids[start : start + _IN]))
        query = query.order_by(table.c.char_start, table.c.page_id, table.c.ordinal)
        if column is table.c.page_id:
            query = select(table).where(column.in_(ids[start : start + _IN])).order_by(table.c.ordinal)
        for row in connection.execute(query):
            span = SpanRow(*row)
            result.setdefault(key(span), []).append(span)
    return result


def keepsakes_of(connection: Connection, page_ids: Iterable[int]) -> dict[int, list[KeepsakeRow]]:
    table = schema.keepsakes
    ids = list(page_ids)
    result: dict[int, list[KeepsakeRow]] = {}
    for start in range(0, len(ids), _IN):
        query = select(table.c.page_id, table.c.start, table.c.stop, table.c.message_id, table.c.text)
        query = query.where(table.c.page_id.in_(ids[start : start + _IN])).order_by(table.c.start)
        for row in connection.execute(query):
            result.setdefault(row.page_id, []).append(KeepsakeRow(*row))
    return result


def threads_of(connection: Connection, page_ids: Sequence[int]) -> dict[int, list[str]]:
    """Page id → names of the threads on it, in their order on the page."""
    spans, messages, threads = schema.spans.c, schema.messages.c, schema.threads.c
    result: dict[int, list[str]] = {}
    for start in range(0, len(page_ids), _IN):
        query = (
            select(spans.page_id, threads.name, func.min(spans.ordinal).label("first"))
            .join_from(schema.spans, schema.messages, messages.id == spans.message_id)
            .join(schema.threads, threads.id == messages.thread_id)
            .where(spans.page_id.in_(page_ids[start : start + _IN]))
            .group_by(spans.page_id, threads.name)
            .order_by(spans.page_id, "first")
        )
        for row in connection.execute(query):
            result.setdefault(row.page_id, []).append(row.name)
    return result


def keepsake_sizes(connection: Connection, page_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Page id → (number of keepsakes, their bytes)."""
    table = schema.keepsakes.c
    result: dict[int, tuple[int, int]] = {}
    for start in range(0, len(page_ids), _IN):
        query = (
            select(table.page_id, func.count(), func.sum(schema.octet_length(table.text)))
            .where(table.page_id.in_(page_ids[start : start + _IN]))
            .group_by(table.page_id)
        )
        result |= {page_id: (count, int(size)) for page_id, count, size in connection.execute(query)}
    return result


@dataclass(frozen=True)
class TierTotals:
    tier: str
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int


def totals(connection: Connection, bank_id: int) -> list[TierTotals]:
    query = (
        select(_t.tier, func.count(), func.sum(_t.vision_tokens), func.sum(_t.token_bytes), func.sum(_t.text_bytes))
        .where(_t.bank_id == bank_id)
        .group_by(_t.tier)
    )
    return [TierTotals(tier, n, int(v), int(b), int(x)) for tier, n, v, b, x in connection.execute(query)]


def keepsake_bytes(connection: Connection, bank_id: int) -> int:
    table = schema.keepsakes.c
    query = (
        select(func.coalesce(func.sum(schema.octet_length(table.text) + 16), 0))
        .join_from(schema.keepsakes, schema.pages, _t.id == table.page_id)
        .where(_t.bank_id == bank_id)
    )
    return int(connection.execute(query).scalar_one())


#: What a page's row and each of its spans hold besides tokens and text, their places in indexes included.
PAGE_ROW_BYTES = 340
SPAN_ROW_BYTES = 48


def metadata_bytes(connection: Connection, bank_id: int) -> int:
    spans = schema.spans.c
    query = (
        select(func.count(spans.ordinal), func.count(func.distinct(_t.id)))
        .join_from(schema.pages, schema.spans, spans.page_id == _t.id)
        .where(_t.bank_id == bank_id)
    )
    span_count, page_count = connection.execute(query).one()
    return int(span_count) * SPAN_ROW_BYTES + int(page_count) * PAGE_ROW_BYTES
