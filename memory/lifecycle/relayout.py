"""Relayout: pages laid out for another codec are typeset again for the present one.

A page becomes one or more pages that hold the same messages. Their text is the kept text, else the reading of the
tokens, with keepsakes spliced in. If the process is killed, every page is intact, before or after.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder import Codec, Reading, VisionTokens, expected_bytes, known_misread, misread_cells, with_misread
from foxing.memory.errors import Unreadable
from foxing.memory.index.indexing import PageChanges, Reindexer
from foxing.memory.pages.assembler import PageDraft
from foxing.memory.pages.content import PageState, StoredContents
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import either
from foxing.memory.pages.exact_text import pack_text
from foxing.memory.pages.fidelity import MAX_CHARACTER_LOSS, character_loss, unreadable_share
from foxing.memory.pages.spans import span_rows
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, pages, trash
from foxing.memory.storage.repositories.pages import NewPage, NewParts, PageContent, PageRow, TypesetColumns
from foxing.renderer import Cells, PageLayout, Typesetter, render

from . import reasons
from .changes import WrittenPage
from .leases import lease_pages
from .reasons import Left
from .retypeset import MessagePart, RetypesetPage, message_part, retypeset
from .rewrite import ATTEMPTS


class RelayoutRequest(NamedTuple):
    """A page to typeset again, and the tier to encode it at."""

    page: PageRow
    tier: str


@dataclass(frozen=True)
class RelaidPage:
    """What a page became."""

    page: PageRow
    #: all of them together, with the mean of their confidences
    written: WrittenPage


@dataclass(frozen=True)
class RelayoutOutcome:
    """The result of a batch. A page that is in neither field is held by another process or was changed meanwhile."""

    done: list[RelaidPage]
    #: page id → why the page is left as it is
    left: dict[int, str]


@dataclass(frozen=True)
class _NewPage:
    """A page to be written."""

    typeset: RetypesetPage
    #: columns of its row; a page that takes the place of another keeps that one's id, key, pin and time of sealing
    values: TypesetColumns
    tokens: VisionTokens
    #: packed cells, while they are kept
    text: bytes | None
    #: reading of the tokens; None while the text is kept
    reading: Reading | None

    @property
    def parts(self) -> NewParts:
        typeset = self.typeset
        return NewParts(span_rows(typeset.page.spans), typeset.keepsakes, typeset.messages)

    @property
    def state(self) -> PageState:
        return PageState.written(self.values["tier"], self.typeset.page.cells, self.reading)


@dataclass(frozen=True)
class _Replacement:
    """A page and the pages that are to be written in its place."""

    page: PageRow
    new: list[_NewPage]

    @property
    def fades(self) -> bool:
        """Whether its messages may lose words: whether they are read from tokens."""
        return self.new[0].reading is not None

    def row(self, new: _NewPage) -> NewPage:
        """The row of a new page beside the first."""
        page = self.page
        key = uuid.uuid4().hex
        return {
            "key": key,
            "bank_id": page.bank_id,
            "pinned": page.pinned,
            "sealed_at": page.sealed_at,
            "arrived_at": page.arrived_at,
            **new.values,
        }

    def outcome(self) -> RelaidPage:
        values = [item.values for item in self.new]
        written = WrittenPage(
            pages=len(values),
            vision_tokens=sum(item["vision_tokens"] for item in values),
            token_bytes=sum(item["token_bytes"] for item in values),
            text_bytes=sum(item["text_bytes"] for item in values),
            confidence=fmean(item["confidence"] for item in values),
        )
        return RelaidPage(self.page, written)


@dataclass(frozen=True)
class _Parts:
    """The parts of messages on pages."""

    #: page id → its parts of messages, in their order on the page
    parts: dict[int, list[MessagePart]]
    #: page id → why the page cannot be read
    left: dict[int, str]


class PageRelayout:
    """Typesets pages for the codec of `decoder`, which also reads the tokens of the codecs that wrote them."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def run(
        self, bank_id: int, requests: Sequence[RelayoutRequest], now: datetime, *, owner: str | None = None
    ) -> RelayoutOutcome:
        """Typesets, encodes and swaps pages of one bank.

        A page stays as it is if it cannot be read, would lose characters, or has a version in the trash at `now`,
        which could be restored only into the page as it is. `owner`: see `lease_pages`.
        """
        rows = [page for page, _ in requests]
        with lease_pages(self.database, self.codec, rows, pinned=True, owner=owner) as leased:
            with self.database.read() as connection:
                left = undo_reasons(connection, sorted(leased.ids), now)
            ready = [item for item in requests if item.page.id in leased.ids and item.page.id not in left]
            read = self._parts([page for page, _ in ready], leased.contents)
            left |= read.left
            replacements: list[_Replacement] = []
            for request in ready:
                page_id = request.page.id
                if page_id in read.left:
                    continue
                keeps_text = leased.contents[page_id].text is not None
                written = self._encode(request, read.parts[page_id], keeps_text=keeps_text)
                if isinstance(written, Left):
                    left[page_id] = written.reason
                else:
                    replacements.append(written)
            return RelayoutOutcome(self._swap(bank_id, replacements), left)

    def expected(self, page: PageRow, tier: str) -> tuple[int, int]:
        """Estimated number of pages that a page becomes, and bytes of their tokens."""
        layout = self.codec.layout
        full, rest = divmod(page.rows_used * PageLayout.from_dict(page.layout).columns, layout.cells)
        sizes = [expected_bytes(self.codec, layout, layout.rows, tier)] * full
        if rest or not full:
            sizes.append(expected_bytes(self.codec, layout, max(1, -(-rest // layout.columns)), tier))
        return len(sizes), sum(sizes)

    @cached_property
    def _typesetter(self) -> Typesetter:
        return Typesetter(self.codec.layout, self.codec.repertoire)

    def _parts(self, rows: Sequence[PageRow], contents: StoredContents) -> _Parts:
        """What is to be typeset again. Pages that cannot be read are left."""
        ids = [page.id for page in rows]
        with self.database.read() as connection:
            spans = pages.spans_of_pages(connection, ids)
            keepsakes = pages.keepsakes_of(connection, ids)
        states = self.decoder.read(rows, contents)
        parts: dict[int, list[MessagePart]] = {}
        left: dict[int, str] = {}
        for page in rows:
            state = states[page.id]
            if isinstance(state, Unreadable):
                left[page.id] = str(state)
            elif contents[page.id].text is not None and state.source != "text":
                left[page.id] = reasons.DAMAGED_TEXT  # a backup may have it intact
            elif state.source == "decoded" and (share := unreadable_share(state.cells)) > MAX_CHARACTER_LOSS:
                left[page.id] = reasons.partly_unreadable(share)
            else:
                layout = PageLayout.from_dict(page.layout)
                kept = keepsakes.get(page.id, [])
                parts[page.id] = [message_part(state, layout, span, kept) for span in spans[page.id]]
        return _Parts(parts, left)

    def _encode(
        self, request: RelayoutRequest, parts: Sequence[MessagePart], *, keeps_text: bool
    ) -> _Replacement | Left:
        """The pages that replace the page of `parts`, or why it is left as it is."""
        page, tier = request
        with self.database.read() as connection:
            known = messages.by_ids(connection, page.bank_id, {part.span.message_id for part in parts})
        typeset = retypeset(self._typesetter, parts, known)
        images = [render(item.page.cells, item.page.layout, tier) for item in typeset]
        encoded = self.codec.encode(images, tier)
        readings = self.decoder.read_tokens(encoded)
        new: list[_NewPage] = []
        for item, tokens, reading in zip(typeset, encoded, readings, strict=True):
            if not isinstance(reading, Reading):
                return Left(str(reading))
            cells = item.page.cells
            if (loss := character_loss(cells, reading)) > MAX_CHARACTER_LOSS:
                return Left(reasons.too_lossy(loss, tier))
            text = self._exact_text(cells, reading, tier) if keeps_text else None
            if not keeps_text:
                tokens = with_misread(tokens, either(misread_cells(cells, reading), item.misread))
                reading = known_misread(reading, tokens)
            held = None if keeps_text else reading
            new.append(_NewPage(item, self._values(request, item, tokens, text, held), tokens, text, held))
        return _Replacement(page, new)

    def _exact_text(self, cells: Cells, reading: Reading, tier: str) -> bytes:
        """What is kept of an exact text beside tokens of the present codec."""
        return pack_text(cells, reading if self.codec.tiers[tier].streamed else None)

    def _swap(self, bank_id: int, replacements: Sequence[_Replacement]) -> list[RelaidPage]:
        """Writes the pages that have not been changed meanwhile, and reindexes their messages."""
        for _ in range(ATTEMPTS):
            terms = self.reindexer.prepare(bank_id, _page_changes(replacements))
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                changed = pages.changed(connection, [item.page for item in replacements])
                if not changed and self.reindexer.is_current(connection, terms):
                    for item in replacements:
                        _replace(connection, item)
                    self.reindexer.write(connection, bank_id, terms)
                    return [item.outcome() for item in replacements]
            replacements = [item for item in replacements if item.page.id not in changed]
        return []

    def _values(
        self,
        request: RelayoutRequest,
        typeset: RetypesetPage,
        tokens: VisionTokens,
        text: bytes | None,
        reading: Reading | None,
    ) -> TypesetColumns:
        """Columns of the table `pages` that typesetting again changes."""
        page, tier = request
        times = [message.created_at for message in typeset.messages]
        return {
            "tier": tier,
            "codec": self.codec.name,
            "layout": typeset.page.layout.to_dict(),
            "rows_used": typeset.page.rows_used,
            "first_at": min(times, default=page.first_at),
            "last_at": max(times, default=page.last_at),
            "messages": len({message.id for message in typeset.messages}),
            "vision_tokens": tokens.count,
            "token_bytes": len(tokens.to_bytes()),
            "text_bytes": 0 if text is None else len(text),
            "text_kept": text is not None,
            "confidence": 1.0 if reading is None else reading.mean_confidence,
        }


def _page_changes(replacements: Sequence[_Replacement]) -> PageChanges:
    new = [(item.row(page), page) for item in replacements for page in item.new]
    drafts = [
        PageDraft.of(number, row, span_rows(page.typeset.page.spans), page.typeset.keepsakes, page.state)
        for number, (row, page) in enumerate(new)
    ]
    faded = [item.page.id for item in replacements if item.fades]
    return PageChanges(faded=faded, drafts=drafts, replaced=[item.page.id for item in replacements])


def _replace(connection: Connection, item: _Replacement) -> None:
    """Writes the new pages in place of a page, whose id the first of them takes."""
    page, (first, *others) = item.page, item.new
    pages.swap(connection, page, tokens=first.tokens.to_bytes(), text=first.text, values=first.values)
    trash.empty(connection, page)  # its undo window has passed, and it fits only the page as it was
    pages.replace_parts(connection, page, first.parts)
    added = [
        pages.insert(connection, item.row(new), PageContent(new.tokens.to_bytes(), new.text), new.parts)
        for new in others
    ]
    if added:  # messages of the page went to others
        pages.replace_ranges(connection, page.bank_id, [page.id, *(new.id for new in added)])


def undo_reasons(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, str]:
    """Page id → why the page must wait, for the pages that have a version in the trash at `now`."""
    waiting = trash.latest_purge(connection, page_ids, now)
    return {page_id: reasons.restorable(until) for page_id, until in waiting.items()}
