"""Pages: rows, tokens and kept text, spans and keepsakes."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, case, func, literal, or_, select

from foxing.memory.errors import NotFound, StorageError
from foxing.memory.storage import ages, columns, schema
from foxing.memory.storage.manifest import PageManifest, Place
from foxing.memory.values.policy import AgeFrom
from foxing.renderer.clock import MAX_CLOCK_SKEW

from . import messages, schedule
from .blobs import contents as blobs
from .messages import Message
from .sealed import changes, manifests, ranges

_c = schema.pages.c


@dataclass(frozen=True)
class PageRow:
    """Row of a page, without tokens, text, spans and keepsakes. Its fields are the columns of the table."""

    #: Row id; an `unsaved_id` for a page that is not stored yet.
    id: int
    #: Public id.
    key: str
    bank_id: int
    #: Incremented by every change, for compare-and-swap.
    version: int
    tier: str
    #: The layout as JSON; `PageLayout.from_dict` reads it.
    layout: dict[str, Any]
    rows_used: int
    pinned: bool
    sealed_at: datetime
    #: Times of the first and the last message on the page.
    first_at: datetime
    last_at: datetime
    #: Latest time of arrival of its messages.
    arrived_at: datetime
    #: Number of messages on the page, including partial ones.
    messages: int
    #: Codec that wrote the tokens. This and the following fields are set once the page is encoded.
    codec: str = ""
    vision_tokens: int = 0
    token_bytes: int = 0
    #: Bytes stored for the exact text in addition to the tokens; 0 if the tokens read exactly as it.
    text_bytes: int = 0
    #: True if the exact text is kept.
    text_kept: bool = False
    #: Mean confidence of the reading, 0 to 1; 1 while the text is kept.
    confidence: float = 1.0
    #: True if facts have faded, because they alone exceed a tier's maximum.
    facts_faded: bool = False

    @property
    def bytes(self) -> int:
        """Bytes of its tokens and text."""
        return self.token_bytes + self.text_bytes


class PageContent(NamedTuple):
    """Large columns of a page."""

    tokens: bytes
    #: Exact text, or corrections to the tokens' reading, see `pages.exact_text`; None once it is dropped.
    text: bytes | None


class SpanRow(NamedTuple):
    """Cells of a page that hold a message, or a part of one. Cells are counted row by row; ranges are half open."""

    page_id: int
    #: Index among the spans of the page.
    ordinal: int
    message_id: int
    #: First cell of the header, which precedes the text.
    header_start: int
    #: Range of cells of the text.
    start: int
    stop: int
    #: Range of characters of the message in these cells.
    char_start: int
    char_stop: int

    @property
    def place(self) -> Place:
        """The span as stored in the manifest of its page."""
        return Place(*self[2:])


class KeepsakeRow(NamedTuple):
    """Exact identifier and the range of cells that it replaces, half open."""

    page_id: int
    start: int
    stop: int
    message_id: int
    text: str


@dataclass(frozen=True)
class PageParts:
    """Spans and keepsakes of a page."""

    #: In page order.
    spans: Sequence[SpanRow]
    keepsakes: Sequence[KeepsakeRow] = ()


class KeepsakeTotals(NamedTuple):
    """Number and bytes of the keepsakes of a page."""

    number: int
    bytes: int


_names = [field.name for field in fields(PageRow)]
_select = select(*(_c[name] for name in _names))
_by_ids = _select.where(columns.is_given(_c.id))
_unsaved_ids = itertools.count(-1, -1)


def unsaved_id() -> int:
    """Returns a temporary id for a page that is not stored yet, distinct from the ids of all other pages."""
    return next(_unsaved_ids)


def _page(row: Sequence[Any]) -> PageRow:
    if None in row:  # SQLite returns NULL if a byte of the file was changed
        raise StorageError("the database is damaged: a page lacks one of its columns; restore a backup")
    return PageRow(*row)


def _columns(page: PageRow, *, without: Collection[str]) -> dict[str, Any]:
    return {name: getattr(page, name) for name in _names if name not in without}


def get(connection: Connection, bank_id: int, key: str) -> PageRow:
    """Returns the page of a bank with that key. Raises `NotFound`."""
    row = connection.execute(_select.where(_c.bank_id == bank_id, _c.key == key)).first()
    if row is None:
        raise NotFound(f"there is no page '{key}' in this bank; list its pages to see their ids")
    return _page(row)


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, PageRow]:
    """Returns id → page, for pages that exist."""
    if not ids:
        return {}
    return {row.id: _page(row) for row in connection.execute(_by_ids, {"ids": ids})}


def ids_by_time(
    connection: Connection, bank_id: int, *, tier: str | None = None, limit: int | None = None
) -> list[int]:
    """Returns the ids of the pages of a bank, or of those at `tier`, ordered by the times of their last messages, at
    most `limit`."""
    query = select(_c.id).where(_c.bank_id == bank_id).order_by(_c.last_at, _c.id).limit(limit)
    if tier is not None:
        query = query.where(_c.tier == tier)
    return list(connection.execute(query).scalars())


class AgeGroup(NamedTuple):
    """Pages at one tier, all pinned or none, between two ages."""

    tier: str
    pinned: bool
    #: Number of the ages that they have.
    passed: int
    pages: int


def count_by_age(
    connection: Connection, bank_id: int, steps: Sequence[timedelta], now: datetime, age_from: AgeFrom
) -> list[AgeGroup]:
    """Returns the pages of a bank by tier, by whether they are pinned, and by how many of the ages `steps` they have at
    `now`."""
    passed = sum((case((ages.reached(age, now, age_from), 1), else_=0) for age in steps), start=literal(0))
    group = _c.tier, _c.pinned, passed.label("passed")
    query = select(*group, func.count()).where(_c.bank_id == bank_id)
    return [AgeGroup(*row) for row in connection.execute(query.group_by(*group))]


def newest(connection: Connection, codec: str, tiers: Collection[str], before_id: int, limit: int) -> list[PageRow]:
    """Returns up to `limit` pages of all banks with ids below `before_id`, of one codec and some tiers, newest
    first."""
    query = _select.where(_c.id < before_id, _c.codec == codec, _c.tier.in_(tiers)).order_by(_c.id.desc()).limit(limit)
    return [_page(row) for row in connection.execute(query)]


def list_after(connection: Connection, bank_id: int, after_id: int, limit: int) -> list[PageRow]:
    """Returns up to `limit` pages ordered by id, starting after `after_id`."""
    query = _select.where(_c.bank_id == bank_id, _c.id > after_id).order_by(_c.id).limit(limit)
    return [_page(row) for row in connection.execute(query)]


def ageing_candidates(
    connection: Connection, bank_id: int, tiers: Sequence[str], before: datetime, after_id: int, limit: int
) -> list[PageRow]:
    """Returns up to `limit` unpinned pages ordered by id, starting after `after_id`, that may be due: stored at one of
    `tiers` or with kept text, and without messages later than `before`."""
    query = (
        _select.where(_c.bank_id == bank_id, ~_c.pinned, _c.last_at <= before, _c.id > after_id)
        .where(or_(_c.tier.in_(tiers), _c.text_kept))
        .order_by(_c.id)
        .limit(limit)
    )
    return [_page(row) for row in connection.execute(query)]


def insert(
    connection: Connection, page: PageRow, content: PageContent, parts: PageParts, on_it: Sequence[Message]
) -> PageRow:
    """Inserts a page with its contents, the messages on it and its keepsakes, and makes ageing of the bank due for a
    check. Returns the page with its id."""
    schedule.bring_forward(connection, page.bank_id, "age")
    values = _columns(page, without=("id",))
    new_id = connection.execute(schema.pages.insert().values(values).returning(_c.id)).scalar_one()
    page = replace(page, id=new_id)
    tokens, text = blobs.put(connection, page.bank_id, content)
    connection.execute(schema.page_contents.insert().values(page_id=page.id, tokens=tokens, text=text))
    changes.write(connection, page.bank_id, page.id, _manifest(connection, parts, on_it))
    _insert_keepsakes(connection, page.id, parts.keepsakes)
    return page


def replace_parts(connection: Connection, page: PageRow, parts: PageParts, added: Sequence[Message] = ()) -> None:
    """Replaces the spans and keepsakes of a page. `added`: messages that were not on it before."""
    before = manifests.get(connection, [page.id])[page.id]
    changes.write(connection, page.bank_id, page.id, _manifest(connection, parts, added, before), before)
    connection.execute(schema.keepsakes.delete().where(schema.keepsakes.c.page_id == page.id))
    _insert_keepsakes(connection, page.id, parts.keepsakes)


def _manifest(
    connection: Connection, parts: PageParts, added: Sequence[Message], before: PageManifest | None = None
) -> PageManifest:
    by_id = {message.id: message for message in (() if before is None else before.messages)}
    by_id |= {message.id: messages.sealed_form(connection, message) for message in added}
    spans = sorted(parts.spans, key=lambda span: span.ordinal)
    return PageManifest.of(by_id.values(), [span.place for span in spans])


def _insert_keepsakes(connection: Connection, page_id: int, keepsakes: Sequence[KeepsakeRow]) -> None:
    if keepsakes:
        connection.execute(schema.keepsakes.insert(), [{**item._asdict(), "page_id": page_id} for item in keepsakes])


def contents(connection: Connection, page_ids: Sequence[int]) -> dict[int, PageContent]:
    """Returns page id → tokens and kept text. A blob that is missing from object storage is a `MissingBlob`. Raises
    `StorageError` if the storage cannot be reached."""
    if not page_ids:
        return {}
    return _contents_of(connection, connection.execute(_contents, {"ids": page_ids}).all())


def with_contents(connection: Connection, ids: Sequence[int]) -> tuple[dict[int, PageRow], dict[int, PageContent]]:
    """Returns page id → page, and page id → contents, see `contents`, for pages that exist."""
    if not ids:
        return {}, {}
    rows = connection.execute(_given_with_contents, {"ids": ids}).all()
    return {row.id: _page(row[: len(_names)]) for row in rows}, _contents_of(connection, rows)


def _contents_of(connection: Connection, rows: Sequence[Any]) -> dict[int, PageContent]:
    stored = blobs.get(connection, [(row.bank_id, item) for row in rows for item in (row.tokens, row.text)])
    pairs = zip(stored[::2], stored[1::2], strict=True)
    return {row.page_id: PageContent(tokens or b"", text) for row, (tokens, text) in zip(rows, pairs, strict=True)}


_p = schema.page_contents.c
_contents = select(_p.page_id, _c.bank_id, _p.tokens, _p.text).join_from(schema.page_contents, schema.pages)
_contents = _contents.where(columns.is_given(_p.page_id))
_given_with_contents = _select.add_columns(_p.page_id, _p.tokens, _p.text).join(schema.page_contents)
_given_with_contents = _given_with_contents.where(columns.is_given(_c.id))


def swap(
    connection: Connection, before: PageRow, after: PageRow, content: PageContent, stored: PageContent | None = None
) -> bool:
    """Compares and swaps: writes `after` and its contents in place of `before`, and ends the lease. Returns False
    without writing if the page is no longer at the version of `before`. `stored`: current contents, of which unchanged
    ones are not written again."""
    values = _columns(after, without=("id", "key", "bank_id", "version"))
    update = schema.pages.update().where(_c.id == before.id, _c.version == before.version)
    swapped = update.values(version=before.version + 1, lease_owner=None, lease_until=None, **values)
    if connection.execute(swapped).rowcount != 1:
        return False
    schedule.bring_forward(connection, before.bank_id, "age")
    new = {name: value for name, value in content._asdict().items() if stored is None or value != getattr(stored, name)}
    if new:
        table = schema.page_contents
        of_page = table.c.page_id == before.id
        put = blobs.put(connection, before.bank_id, list(new.values()))
        blobs.release(connection, [table.c[name] for name in new], of_page)
        connection.execute(table.update().where(of_page).values(dict(zip(new, put, strict=True))))
    return True


def lease(
    connection: Connection, page: PageRow, owner: str, now: datetime, until: datetime, *, pinned: bool = False
) -> bool:
    """Leases a page to `owner`. Returns False if another owner holds it or it has changed. A pinned page is leased only
    with `pinned`."""
    over = or_(_c.lease_until <= now, _c.lease_until > now + MAX_CLOCK_SKEW)
    free = or_(_c.lease_until.is_(None), over, _c.lease_owner == owner)
    update = schema.pages.update().where(_c.id == page.id, _c.version == page.version, free)
    if not pinned:
        update = update.where(~_c.pinned)
    return connection.execute(update.values(lease_owner=owner, lease_until=until)).rowcount == 1


def changed(connection: Connection, expected: Sequence[PageRow]) -> set[int]:
    """Returns the ids of pages that are no longer at the expected version."""
    rows = by_ids(connection, [page.id for page in expected])
    return {page.id for page in expected if page.id not in rows or rows[page.id].version != page.version}


def release(connection: Connection, page_ids: Sequence[int], owner: str) -> None:
    """Ends the leases of `owner` on these pages."""
    connection.execute(
        schema.pages.update()
        .where(_c.id.in_(page_ids), _c.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
    )


def set_pinned(connection: Connection, page: PageRow, pinned: bool) -> None:
    """Pins or unpins a page, and increments its version so that concurrent ageing fails."""
    connection.execute(schema.pages.update().where(_c.id == page.id).values(pinned=pinned, version=_c.version + 1))
    if not pinned:
        schedule.bring_forward(connection, page.bank_id, "age")


def spans_of_pages(connection: Connection, page_ids: Collection[int]) -> dict[int, list[SpanRow]]:
    """Returns page id → its spans in order of their cells."""
    by_page = manifests.get(connection, page_ids)
    return {page_id: _spans(page_id, manifest) for page_id, manifest in by_page.items() if len(manifest)}


def parts_of(connection: Connection, page_ids: Sequence[int]) -> dict[int, PageParts]:
    """Returns page id → its spans and keepsakes."""
    spans = spans_of_pages(connection, page_ids)
    keepsakes = keepsakes_of(connection, page_ids)
    return {page_id: PageParts(spans.get(page_id, []), keepsakes.get(page_id, [])) for page_id in page_ids}


def spans_of_messages(connection: Connection, bank_id: int, message_ids: Collection[int]) -> dict[int, list[SpanRow]]:
    """Returns message id → its spans in order of its text."""
    places = ranges.pages_of(connection, bank_id, message_ids)
    on_pages = manifests.get(connection, {page_id for page_ids in places.values() for page_id in page_ids})
    result: dict[int, list[SpanRow]] = {}
    for page_id, manifest in on_pages.items():
        for span in _spans(page_id, manifest, places.keys()):
            result.setdefault(span.message_id, []).append(span)
    for spans in result.values():
        spans.sort(key=lambda span: (span.char_start, span.page_id, span.ordinal))
    return result


def _spans(page_id: int, manifest: PageManifest, of: Collection[int] | None = None) -> list[SpanRow]:
    """Returns the spans of a page, or those of the messages `of`."""
    numbered = enumerate(manifest.places)
    return [SpanRow(page_id, ordinal, *place) for ordinal, place in numbered if of is None or place.message_id in of]


def kept_exactly(connection: Connection, bank_id: int, message_ids: Collection[int]) -> set[int]:
    """Returns the ids of messages all of whose pages have kept text."""
    places = ranges.pages_of(connection, bank_id, message_ids)
    rows = by_ids(connection, sorted({page_id for page_ids in places.values() for page_id in page_ids}))
    return {i for i, page_ids in places.items() if all(rows[page_id].text_kept for page_id in page_ids)}


def keepsakes_of(connection: Connection, page_ids: Collection[int]) -> dict[int, list[KeepsakeRow]]:
    """Returns page id → its keepsakes in order of their cells."""
    if not page_ids:
        return {}
    result: dict[int, list[KeepsakeRow]] = {}
    for row in connection.execute(_keepsakes, {"ids": list(page_ids)}):
        result.setdefault(row.page_id, []).append(KeepsakeRow(*row))
    return result


_k = schema.keepsakes.c
_keepsakes = select(_k.page_id, _k.start, _k.stop, _k.message_id, _k.text)
_keepsakes = _keepsakes.where(columns.is_given(_k.page_id)).order_by(_k.start)


def keepsake_totals(connection: Connection, page_ids: Sequence[int]) -> dict[int, KeepsakeTotals]:
    """Returns page id → number and bytes of its keepsakes, for pages that have any."""
    c = schema.keepsakes.c
    query = select(c.page_id, func.count(), func.sum(columns.octet_length(c.text))).group_by(c.page_id)
    rows = connection.execute(query.where(columns.among(c.page_id, page_ids)))
    return {page_id: KeepsakeTotals(count, int(size)) for page_id, count, size in rows}
