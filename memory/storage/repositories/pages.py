"""Pages: their rows, tokens and kept text, spans and keepsakes."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, or_, select

from foxing.memory.errors import NotFound, StorageError
from foxing.memory.storage import columns, schema
from foxing.memory.storage.ids import with_id
from foxing.memory.storage.manifest import PageManifest, Place
from foxing.renderer.clock import MAX_CLOCK_SKEW

from . import messages, schedule
from .blobs import contents as blobs
from .messages import Message
from .sealed import manifests, ranges

_c = schema.pages.c


@dataclass(frozen=True)
class PageRow:
    """A page without tokens, text, spans and keepsakes: its fields are the columns of the table."""

    #: Of a page that is not in the database yet, an `unsaved_id`.
    id: int
    #: The page's id as callers know it.
    key: str
    bank_id: int
    #: Incremented by every change; writers compare and swap on it.
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
    #: When the last of them came into the bank.
    arrived_at: datetime
    #: How many messages are on the page, if only in part.
    messages: int
    #: The codec that wrote the tokens. This and what follows is known once the page is encoded.
    codec: str = ""
    vision_tokens: int = 0
    token_bytes: int = 0
    #: Bytes of the exact text that are stored beside the tokens; 0 if these read as it.
    text_bytes: int = 0
    #: Whether the exact text is kept.
    text_kept: bool = False
    #: Mean confidence of what the tokens read as; 1 while the text is kept.
    confidence: float = 1.0

    @property
    def bytes(self) -> int:
        """Bytes of its tokens and its text."""
        return self.token_bytes + self.text_bytes


class PageContent(NamedTuple):
    """The large columns of a page."""

    tokens: bytes
    #: What must be kept of the exact text beside the tokens; None once it is dropped.
    text: bytes | None


class SpanRow(NamedTuple):
    """The cells of a page that hold a message, or a part of one. Cells are counted row by row; ranges are half open."""

    page_id: int
    #: Its place among the spans of the page.
    ordinal: int
    message_id: int
    #: Where the header before the text starts.
    header_start: int
    #: The cells of the text.
    start: int
    stop: int
    #: The characters of the message that they hold.
    char_start: int
    char_stop: int

    @property
    def place(self) -> Place:
        """The span in the manifest of its page."""
        return Place(*self[2:])


class KeepsakeRow(NamedTuple):
    """An exact identifier and the range of cells that it replaces, half open."""

    page_id: int
    start: int
    stop: int
    message_id: int
    text: str


@dataclass(frozen=True)
class PageParts:
    """What stands where on a page."""

    #: In their order on the page.
    spans: Sequence[SpanRow]
    keepsakes: Sequence[KeepsakeRow] = ()


class KeepsakeTotals(NamedTuple):
    """The keepsakes of a page."""

    number: int
    bytes: int


_names = [field.name for field in fields(PageRow)]
_select = select(*(_c[name] for name in _names))
_unsaved_ids = itertools.count(-1, -1)


def unsaved_id() -> int:
    """An id for a page that is not in the database yet; no stored page has it, and no other such page."""
    return next(_unsaved_ids)


def _page(row: Sequence[Any]) -> PageRow:
    if None in row:  # which SQLite reads where a byte of the file was changed
        raise StorageError("a page in the database lacks one of its columns: it is damaged; restore a backup")
    return PageRow(*row)


def _columns(page: PageRow, *, without: Collection[str]) -> dict[str, Any]:
    return {name: getattr(page, name) for name in _names if name not in without}


def get(connection: Connection, bank_id: int, key: str) -> PageRow:
    """The page of a bank with that key. Raises `NotFound`."""
    row = connection.execute(_select.where(_c.bank_id == bank_id, _c.key == key)).first()
    if row is None:
        raise NotFound(f"there is no page '{key}' in this bank; list its pages to see their ids")
    return _page(row)


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, PageRow]:
    """Id → page, for those that exist."""
    if not ids:
        return {}
    found = connection.execute(_select.where(columns.among(_c.id, ids)))
    return {row.id: _page(row) for row in found}


def ids_by_time(connection: Connection, bank_id: int, *, tier: str | None = None) -> list[int]:
    """Ids of all pages of a bank, or of those at a tier, in the order of their last messages."""
    query = select(_c.id).where(_c.bank_id == bank_id).order_by(_c.last_at, _c.id)
    if tier is not None:
        query = query.where(_c.tier == tier)
    return list(connection.execute(query).scalars())


def newest(connection: Connection, codec: str, tiers: Collection[str], before_id: int, limit: int) -> list[PageRow]:
    """The newest pages of all banks, of a codec and some tiers, among those below an id; the newest first."""
    query = _select.where(_c.id < before_id, _c.codec == codec, _c.tier.in_(tiers)).order_by(_c.id.desc()).limit(limit)
    return [_page(row) for row in connection.execute(query)]


def list_after(connection: Connection, bank_id: int, after_id: int, limit: int) -> list[PageRow]:
    """Up to `limit` pages in the order of their ids, starting after `after_id`."""
    query = _select.where(_c.bank_id == bank_id, _c.id > after_id).order_by(_c.id).limit(limit)
    return [_page(row) for row in connection.execute(query)]


def ageing_candidates(
    connection: Connection, bank_id: int, tiers: Sequence[str], before: datetime, after_id: int, limit: int
) -> list[PageRow]:
    """Up to `limit` unpinned pages in the order of their ids, starting after `after_id`, that may be due: stored at one
    of `tiers` or with kept text, and with no message later than `before`."""
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
    """Inserts a page with its contents, the messages on it and its keepsakes; the page with its id. The clock looks at
    once when it is due."""
    schedule.bring_forward(connection, page.bank_id, "age")
    values = with_id(connection, schema.pages, _columns(page, without=("id",)))
    new_id = connection.execute(schema.pages.insert().values(values).returning(_c.id)).scalar_one()
    page = replace(page, id=new_id)
    tokens, text = blobs.put(connection, page.bank_id, content)
    connection.execute(schema.page_contents.insert().values(page_id=page.id, tokens=tokens, text=text))
    manifest = _manifest(connection, parts, on_it)
    manifests.insert(connection, page.id, manifest)
    ranges.add(connection, page.bank_id, page.id, manifest)
    _insert_keepsakes(connection, page.id, parts.keepsakes)
    return page


def replace_parts(connection: Connection, page: PageRow, parts: PageParts, added: Sequence[Message] = ()) -> None:
    """Replaces the places of messages and the keepsakes of a page. `added`: messages that it has not already."""
    before = manifests.get(connection, [page.id])[page.id]
    manifest = _manifest(connection, parts, added, before)
    manifests.update(connection, page.id, manifest)
    if set(manifest.ids.tolist()) != set(before.ids.tolist()):
        ranges.remove(connection, page.bank_id, page.id, before)
        ranges.put(connection, page.bank_id, {page.id: manifest})
    connection.execute(schema.keepsakes.delete().where(schema.keepsakes.c.page_id == page.id))
    _insert_keepsakes(connection, page.id, parts.keepsakes)


def replace_ranges(connection: Connection, bank_id: int, page_ids: Sequence[int]) -> None:
    """Works out anew which messages follow one another on these pages, between which messages were moved."""
    found = manifests.get(connection, page_ids)
    for page_id, manifest in found.items():
        ranges.remove(connection, bank_id, page_id, manifest)
    ranges.put(connection, bank_id, found)


def _manifest(
    connection: Connection, parts: PageParts, added: Sequence[Message], before: PageManifest | None = None
) -> PageManifest:
    known = {message.id: message for message in (() if before is None else before.messages)}
    known |= {message.id: messages.sealed_form(connection, message) for message in added}
    spans = sorted(parts.spans, key=lambda span: span.ordinal)
    return PageManifest.of(known.values(), [span.place for span in spans])


def _insert_keepsakes(connection: Connection, page_id: int, keepsakes: Sequence[KeepsakeRow]) -> None:
    if keepsakes:
        connection.execute(schema.keepsakes.insert(), [{**item._asdict(), "page_id": page_id} for item in keepsakes])


def contents(connection: Connection, page_ids: Sequence[int]) -> dict[int, PageContent]:
    """Page id → tokens and kept text. A blob that is missing in object storage is a `MissingBlob`. Raises
    `StorageError` if the storage cannot be reached."""
    if not page_ids:
        return {}
    c = schema.page_contents.c
    query = select(c.page_id, _c.bank_id, c.tokens, c.text).join_from(schema.page_contents, schema.pages)
    rows = connection.execute(query.where(columns.among(c.page_id, page_ids))).all()
    stored = blobs.get(connection, [(row.bank_id, item) for row in rows for item in (row.tokens, row.text)])
    pairs = zip(stored[::2], stored[1::2], strict=True)
    return {row.page_id: PageContent(tokens or b"", text) for row, (tokens, text) in zip(rows, pairs, strict=True)}


def swap(
    connection: Connection, before: PageRow, after: PageRow, content: PageContent, stored: PageContent | None = None
) -> bool:
    """Compare and swap: writes the page `after` in place of `before`, with new contents, and ends the lease; False, and
    nothing is written, if the page is no longer at the version of `before`. `stored`: its contents so far, of which
    what stays the same is not written again."""
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
    """Leases a page to `owner`; False if another owner holds it or it has changed. A pinned page is leased only with
    `pinned`."""
    over = or_(_c.lease_until <= now, _c.lease_until > now + MAX_CLOCK_SKEW)
    free = or_(_c.lease_until.is_(None), over, _c.lease_owner == owner)
    update = schema.pages.update().where(_c.id == page.id, _c.version == page.version, free)
    if not pinned:
        update = update.where(~_c.pinned)
    return connection.execute(update.values(lease_owner=owner, lease_until=until)).rowcount == 1


def changed(connection: Connection, expected: Sequence[PageRow]) -> set[int]:
    """Ids of those of the pages that are no longer at the version expected."""
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
    """Pins or unpins a page. Its version is incremented, so that ageing in progress does not change a pinned page."""
    connection.execute(schema.pages.update().where(_c.id == page.id).values(pinned=pinned, version=_c.version + 1))
    if not pinned:
        schedule.bring_forward(connection, page.bank_id, "age")


def spans_of_pages(connection: Connection, page_ids: Collection[int]) -> dict[int, list[SpanRow]]:
    """Page id → its spans in the order of their cells."""
    found = manifests.get(connection, page_ids)
    return {page_id: _spans(page_id, manifest) for page_id, manifest in found.items() if len(manifest)}


def spans_of_messages(connection: Connection, bank_id: int, message_ids: Collection[int]) -> dict[int, list[SpanRow]]:
    """Message id → its spans in the order of its text."""
    places = ranges.of_messages(connection, bank_id, message_ids)
    on_pages = manifests.get(connection, {run.page_id for of_one in places.values() for run in of_one})
    result: dict[int, list[SpanRow]] = {}
    for page_id, manifest in on_pages.items():
        wanted = {i for i in places.keys() & manifest.place_of.keys()}
        for span in _spans(page_id, manifest, wanted):
            result.setdefault(span.message_id, []).append(span)
    for spans in result.values():
        spans.sort(key=lambda span: (span.char_start, span.page_id, span.ordinal))
    return result


def _spans(page_id: int, manifest: PageManifest, of: Collection[int] | None = None) -> list[SpanRow]:
    """The spans of a page, or those of some of its messages."""
    numbered = enumerate(manifest.places)
    return [SpanRow(page_id, ordinal, *place) for ordinal, place in numbered if of is None or place.message_id in of]


def kept_exactly(connection: Connection, bank_id: int, message_ids: Collection[int]) -> set[int]:
    """Ids of those of the messages that are only on pages with kept text."""
    places = ranges.of_messages(connection, bank_id, message_ids)
    rows = by_ids(connection, sorted({run.page_id for of_one in places.values() for run in of_one}))
    return {i for i, of_one in places.items() if all(rows[run.page_id].text_kept for run in of_one)}


def keepsakes_of(connection: Connection, page_ids: Collection[int]) -> dict[int, list[KeepsakeRow]]:
    """Page id → its keepsakes in the order of their cells."""
    if not page_ids:
        return {}
    c = schema.keepsakes.c
    result: dict[int, list[KeepsakeRow]] = {}
    query = select(c.page_id, c.start, c.stop, c.message_id, c.text)
    for row in connection.execute(query.where(columns.among(c.page_id, list(page_ids))).order_by(c.start)):
        result.setdefault(row.page_id, []).append(KeepsakeRow(*row))
    return result


def keepsake_totals(connection: Connection, page_ids: Sequence[int]) -> dict[int, KeepsakeTotals]:
    """Page id → number and bytes of its keepsakes, for pages that have any."""
    c = schema.keepsakes.c
    query = select(c.page_id, func.count(), func.sum(columns.octet_length(c.text))).group_by(c.page_id)
    found = connection.execute(query.where(columns.among(c.page_id, page_ids)))
    return {page_id: KeepsakeTotals(count, int(size)) for page_id, count, size in found}
