"""Relayout: typesets pages laid out for another codec again for the current one.

A page becomes one or more pages that hold the same messages. Their text is the kept text, else the reading of the
tokens, with keepsakes spliced in.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder import Codec, Reading
from foxing.encoder.alignment.misread import misread_cells
from foxing.encoder.contract import expected_bytes
from foxing.memory.errors import Unreadable
from foxing.memory.pages.content import StoredContents
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import union
from foxing.memory.pages.fidelity import MAX_CHARACTER_LOSS, character_loss, unreadable_share
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.pages.page_writer import PageWriter, WriteRules
from foxing.memory.pages.ready_page import ChangedPages, PageChange, ReadyPage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages, trash
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import PageLayout, Typesetter, render

from . import reasons
from .reasons import Refusal
from .retypeset import MessagePart, RetypesetPage, message_part, retypeset


class RelayoutRequest(NamedTuple):
    """A page to typeset again, and the tier at which to encode it."""

    page: PageRow
    tier: str


@dataclass(frozen=True)
class _Parts:
    """Parts of messages on some pages."""

    #: page id → its parts of messages, in page order
    parts: dict[int, list[MessagePart]]
    #: page id → why the page cannot be read
    reasons: dict[int, str]


class PageRelayout:
    """Typesets pages for the codec of `decoder`, which also reads the tokens of the codecs that wrote them."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.writer = PageWriter(database, reindexer)

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.decoder.load()

    def run(self, requests: Sequence[RelayoutRequest], now: datetime, *, owner: str | None = None) -> ChangedPages:
        """Typesets, encodes and swaps pages of one bank. Returns the changes written, and why other pages were left.

        A page is left unchanged if it cannot be read, would lose characters, or has a version in the trash at `now`,
        which fits only its current layout. `owner`: see `PageWriter.change`.
        """
        tiers = {page.id: tier for page, tier in requests}

        def make(rows: Sequence[PageRow], contents: StoredContents) -> ChangedPages:
            return self._relaid([RelayoutRequest(row, tiers[row.id]) for row in rows], contents, now)

        # what the trash still holds is past its undo window and fits only the old layout
        rules = WriteRules(empties_trash=True)
        return self.writer.change(self.codec, [page for page, _ in requests], make, rules, owner=owner)

    def _relaid(self, requests: Sequence[RelayoutRequest], contents: StoredContents, now: datetime) -> ChangedPages:
        with self.database.read() as connection:
            reasons_by_id = undo_reasons(connection, [page.id for page, _ in requests], now)
        ready = [request for request in requests if request.page.id not in reasons_by_id]
        read = self._parts([page for page, _ in ready], contents)
        reasons_by_id |= read.reasons
        changes: list[PageChange] = []
        for request in ready:
            page = request.page
            if page.id in read.reasons:
                continue
            keeps_text = contents[page.id].text is not None
            encoded = self._encode(request, read.parts[page.id], keeps_text=keeps_text)
            if isinstance(encoded, Refusal):
                reasons_by_id[page.id] = encoded.reason
            else:
                changes.append(PageChange(page, encoded, contents[page.id]))
        return ChangedPages(changes, reasons_by_id)

    def expected(self, page: PageRow, tier: str) -> tuple[int, int]:
        """Returns the estimated number of pages that replace a page, and the bytes of their tokens."""
        layout = self.codec.layout
        full, remainder = divmod(page.rows_used * PageLayout.from_dict(page.layout).columns, layout.cells)
        sizes = [expected_bytes(self.codec, layout, layout.rows, tier)] * full
        if remainder or not full:
            sizes.append(expected_bytes(self.codec, layout, max(1, -(-remainder // layout.columns)), tier))
        return len(sizes), sum(sizes)

    @cached_property
    def _typesetter(self) -> Typesetter:
        return Typesetter(self.codec.layout, self.codec.repertoire)

    def _parts(self, rows: Sequence[PageRow], contents: StoredContents) -> _Parts:
        """Returns the parts to typeset, and the pages that cannot be read."""
        ids = [page.id for page in rows]
        with self.database.read() as connection:
            stored = pages.parts_of(connection, ids)
        states = self.decoder.read(rows, contents)
        parts: dict[int, list[MessagePart]] = {}
        unreadable: dict[int, str] = {}
        for page in rows:
            state = states[page.id]
            if isinstance(state, Unreadable):
                unreadable[page.id] = str(state)
            elif contents[page.id].text is not None and state.source != "text":
                unreadable[page.id] = reasons.DAMAGED_TEXT  # a backup may have it intact
            elif state.source == "decoded" and (share := unreadable_share(state.cells)) > MAX_CHARACTER_LOSS:
                unreadable[page.id] = reasons.partly_unreadable(share)
            else:
                layout = PageLayout.from_dict(page.layout)
                exact = stored[page.id].keepsakes
                parts[page.id] = [message_part(state, layout, span, exact) for span in stored[page.id].spans]
        return _Parts(parts, unreadable)

    def _encode(
        self, request: RelayoutRequest, parts: Sequence[MessagePart], *, keeps_text: bool
    ) -> list[ReadyPage] | Refusal:
        """Returns the pages that replace the page of `parts`, or why it is left unchanged."""
        before, tier = request
        with self.database.read() as connection:
            by_id = messages.by_ids(connection, before.bank_id, {part.span.message_id for part in parts})
        typeset = retypeset(self._typesetter, before.id, parts, by_id)
        images = [render(item.page.cells, item.page.layout, tier) for item in typeset]
        encoded = self.codec.encode(images, tier)
        readings = self.decoder.read_tokens(encoded)
        ready: list[ReadyPage] = []
        for item, tokens, reading in zip(typeset, encoded, readings, strict=True):
            if not isinstance(reading, Reading):
                return Refusal(str(reading))
            cells = item.page.cells
            if (loss := character_loss(cells, reading)) > MAX_CHARACTER_LOSS:
                return Refusal(reasons.too_lossy(loss, tier))
            row = _row(request, item)
            if keeps_text:
                verified = reading if self.codec.tiers[tier].streamed else None
                page = ReadyPage.exact(row, tokens, cells, verified, parts=item.parts, added=item.messages)
            else:
                misread = union(misread_cells(cells, reading), item.misread)
                page = ReadyPage.decoded(row, tokens, reading, misread, parts=item.parts, added=item.messages)
            ready.append(page)
        return ready


def _row(request: RelayoutRequest, typeset: RetypesetPage) -> PageRow:
    """Returns the row of a page that was typeset again. The first of several keeps the id and key of the old page."""
    page, tier = request
    times = [message.created_at for message in typeset.messages]
    return replace(
        page,
        id=typeset.page_id,
        key=page.key if typeset.page_id == page.id else uuid.uuid4().hex,
        version=page.version if typeset.page_id == page.id else 1,
        tier=tier,
        layout=typeset.page.layout.to_dict(),
        rows_used=typeset.page.rows_used,
        first_at=min(times, default=page.first_at),
        last_at=max(times, default=page.last_at),
        messages=len({message.id for message in typeset.messages}),
    )


def undo_reasons(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, str]:
    """Returns page id → why the page must wait, for the pages that have a version in the trash at `now`."""
    waiting = trash.latest_purge(connection, page_ids, now)
    return {page_id: reasons.restorable(until) for page_id, until in waiting.items()}
