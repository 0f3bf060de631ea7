"""Relayout: pages laid out for another codec are typeset again for the present one.

A page becomes one or more pages that hold the same messages. Their text is the kept text, else the reading of the
tokens, with keepsakes spliced in. If the process is killed, every page is intact, before or after.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder import Codec, Reading, VisionTokens, expected_bytes
from foxing.memory.errors import Unreadable
from foxing.memory.pages.content import PageState, StoredContents, pack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.spans import span_rows
from foxing.memory.recall.assemble import MessageAssembler
from foxing.memory.recall.indexing import read_ahead, reindex
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages, wastebasket
from foxing.memory.storage.repositories.pages import NewPage, PageRow, TypesetColumns
from foxing.renderer import PageLayout, Repertoire, Typesetter, render

from . import reasons
from .fidelity import MAX_CHARACTER_LOSS, character_loss, encode_larger, unreadable_share
from .leases import lease_pages
from .retypeset import MessagePart, RetypesetPage, message_part, retypeset


class RelayoutRequest(NamedTuple):
    """A page to typeset again, and the tier to encode it at."""

    page: PageRow
    tier: str


@dataclass(frozen=True)
class RelaidPage:
    """What a page became."""

    page: PageRow
    #: number of pages that it is now
    pages: int
    #: bytes of all their tokens
    token_bytes: int
    #: mean of their confidences
    confidence: float


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
    tokens: VisionTokens
    #: packed cells, while they are kept
    text: bytes | None
    #: reading of the tokens; None while the text is kept
    reading: Reading | None

    @property
    def confidence(self) -> float:
        return 1.0 if self.reading is None else self.reading.mean_confidence


class PageRelayout:
    """Typesets pages for the codec of `decoder`, which also reads the tokens of the codecs that wrote them."""

    def __init__(self, database: Database, decoder: PageDecoder, assembler: MessageAssembler) -> None:
        self.database = database
        self.decoder = decoder
        self.assembler = assembler

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def run(self, bank_id: int, requests: Sequence[RelayoutRequest], now: datetime) -> RelayoutOutcome:
        """Typesets, encodes and swaps pages of one bank.

        A page stays as it is if it cannot be read, would lose characters, or has a version in the wastebasket at `now`,
        which could be restored only into the page as it is.
        """
        with lease_pages(self.database, self.codec, [page for page, _ in requests], pinned=True) as leased:
            with self.database.read() as connection:
                left = undo_reasons(connection, sorted(leased.ids), now)
            ready = [item for item in requests if item.page.id in leased.ids and item.page.id not in left]
            parts = self._parts([page for page, _ in ready], leased.contents, left)
            new: dict[int, list[_NewPage]] = {}
            ready = [item for item in ready if item.page.id in parts]
            for page, tier in ready:
                keeps_text = leased.contents[page.id][1] is not None
                written = self._encode(parts[page.id], tier, keeps_text=keeps_text)
                if isinstance(written, str):
                    left[page.id] = written
                else:
                    new[page.id] = written
            done = self._swap(bank_id, [item for item in ready if item.page.id in new], new)
            return RelayoutOutcome(done, left)

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
        return Typesetter(self.codec.layout, Repertoire(self.codec.repertoire))

    def _parts(
        self, rows: Sequence[PageRow], contents: StoredContents, left: dict[int, str]
    ) -> dict[int, list[MessagePart]]:
        """Page id → its parts of messages, in their order on the page. Adds to `left` the reasons for pages that cannot
        be read."""
        ids = [page.id for page in rows]
        with self.database.read() as connection:
            spans = pages.spans_of_pages(connection, ids)
            keepsakes = pages.keepsakes_of(connection, ids)
        states = self.decoder.read(rows, contents)
        parts: dict[int, list[MessagePart]] = {}
        for page in rows:
            state = states[page.id]
            if isinstance(state, Unreadable):
                left[page.id] = str(state)
            elif contents[page.id][1] is not None and state.source != "text":
                left[page.id] = reasons.DAMAGED_TEXT  # a backup may have it intact
            elif state.source == "decoded" and (share := unreadable_share(state.cells)) > MAX_CHARACTER_LOSS:
                left[page.id] = reasons.partly_unreadable(share)
            else:
                layout = PageLayout.from_dict(page.layout)
                kept = keepsakes.get(page.id, [])
                parts[page.id] = [message_part(state, layout, span, kept) for span in spans[page.id]]
        return parts

    def _encode(self, parts: Sequence[MessagePart], tier: str, *, keeps_text: bool) -> list[_NewPage] | str:
        """The pages that replace the page of `parts`, or why it is left as it is."""
        with self.database.read() as connection:
            known = messages.by_ids(connection, sorted({part.span.message_id for part in parts}))
        typeset = retypeset(self._typesetter, parts, known)
        images = [render(item.page.cells, item.page.layout, tier) for item in typeset]
        encoded = self.codec.encode(images, tier)
        readings = self.decoder.read_tokens(encoded)
        new: list[_NewPage] = []
        for item, image, tokens, reading in zip(typeset, images, encoded, readings, strict=True):
            if not isinstance(reading, Reading):
                return str(reading)
            cells = item.page.cells
            if (loss := character_loss(cells, reading)) > MAX_CHARACTER_LOSS:
                larger = encode_larger(self.decoder, image, tier, cells)
                if larger is None:
                    return reasons.too_lossy(loss, tier)
                tokens, reading = larger
            text = pack_cells(cells) if keeps_text else None
            new.append(_NewPage(item, tokens, text, None if keeps_text else reading))
        return new

    def _swap(
        self, bank_id: int, ready: Sequence[RelayoutRequest], new: Mapping[int, Sequence[_NewPage]]
    ) -> list[RelaidPage]:
        """Writes the pages that have not been changed meanwhile, and reindexes their messages."""
        faded = {page.id for page, _ in ready if new[page.id][0].text is None}
        with self.database.read() as connection:
            read_ahead(connection, self.assembler, pages.messages_on(connection, faded), faded)
        done: list[RelaidPage] = []
        states: dict[int, PageState] = {}
        touched: set[int] = set()
        with self.database.write() as connection:
            for page, tier in ready:
                written = self._replace(connection, page, tier, new[page.id])
                if not written:
                    continue
                for page_id, item in written.items():
                    if item.reading is not None:
                        states[page_id] = PageState.of(item.reading)
                        touched |= {message.id for message in item.typeset.messages}
                sizes = [len(item.tokens.to_bytes()) for item in written.values()]
                confidence = fmean(item.confidence for item in written.values())
                done.append(RelaidPage(page, len(written), sum(sizes), confidence))
            reindex(connection, bank_id, self.assembler, touched, states)
        return done

    def _replace(
        self, connection: Connection, page: PageRow, tier: str, new: Sequence[_NewPage]
    ) -> dict[int, _NewPage]:
        """Writes `new` in place of `page`, whose id the first of them takes; page id → page written. Empty if the page
        was changed meanwhile."""
        first, *others = new
        values = self._values(page, tier, first)
        if not pages.swap(connection, page, tokens=first.tokens.to_bytes(), text=first.text, values=values):
            return {}
        wastebasket.empty(connection, page.id)  # its undo window has passed, and it fits only the page as it was
        pages.replace_parts(connection, page.id, span_rows(first.typeset.page.spans), first.typeset.keepsakes)
        written = {page.id: first}
        for item in others:
            row: NewPage = {
                "key": uuid.uuid4().hex,
                "bank_id": page.bank_id,
                "pinned": page.pinned,
                "sealed_at": page.sealed_at,
                **self._values(page, tier, item),
            }
            spans, keepsakes = span_rows(item.typeset.page.spans), item.typeset.keepsakes
            inserted = pages.insert(connection, row, item.tokens.to_bytes(), item.text, spans, keepsakes)
            written[inserted.id] = item
        return written

    def _values(self, page: PageRow, tier: str, new: _NewPage) -> TypesetColumns:
        """Columns of the table `pages` that typesetting again changes."""
        typeset = new.typeset
        times = [message.created_at for message in typeset.messages]
        return {
            "tier": tier,
            "codec": self.codec.name,
            "layout": typeset.page.layout.to_dict(),
            "rows_used": typeset.page.rows_used,
            "first_at": min(times, default=page.first_at),
            "last_at": max(times, default=page.last_at),
            "messages": len({message.id for message in typeset.messages}),
            "vision_tokens": new.tokens.count,
            "token_bytes": len(new.tokens.to_bytes()),
            "text_bytes": 0 if new.text is None else len(new.text),
            "confidence": new.confidence,
        }


def undo_reasons(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, str]:
    """Page id → why the page must wait, for the pages that have a version in the wastebasket at `now`."""
    waiting = wastebasket.latest_purge(connection, page_ids, now)
    return {page_id: reasons.restorable(until) for page_id, until in waiting.items()}
