"""Pages without some of their messages: the cells of these are blank, and the page is encoded again at its tier."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from foxing.encoder import UNREAD_SHARE, Codec, CodecError, PageDrawer, Reading, VisionTokens, can_draw_for
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.lifecycle import reasons
from foxing.memory.lifecycle.fidelity import character_loss, missing_share
from foxing.memory.pages.content import PageState, StoredContents, pack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import DocumentFrequencies, RedrawnPage, fetch_stored_pages, redraw
from foxing.memory.pages.preview import kept_characters
from foxing.memory.pages.view import draw_page
from foxing.memory.recall.assemble import PageDraft
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow, TypesetColumns
from foxing.memory.storage.repositories.wastebasket import DroppedParts
from foxing.renderer import BLANK, PageLayout


@dataclass(frozen=True)
class BlankedPage:
    """A page without some of its messages, as it is to be written."""

    #: as it is, but for the rows in use and the times of its messages
    page: PageRow
    tokens: VisionTokens
    #: packed cells, while they are kept
    text: bytes | None
    #: what the tokens read as; None while the text is kept
    reading: Reading | None
    #: where the other messages and their keepsakes stand
    parts: DroppedParts
    #: share of the characters left on it that read otherwise than before, 0 to 1
    changed: float

    @property
    def blob(self) -> bytes:
        return self.tokens.to_bytes()

    @property
    def bytes(self) -> int:
        """Bytes of tokens and kept text."""
        return len(self.blob) + (0 if self.text is None else len(self.text))

    def draft(self) -> PageDraft | None:
        """The page for the index; None while its text is kept, which no message on it loses a word of."""
        if self.reading is None:
            return None
        spans = [SpanRow(page_id=self.page.id, **span) for span in self.parts.spans]
        keepsakes = [KeepsakeRow(page_id=self.page.id, **keepsake) for keepsake in self.parts.keepsakes]
        return PageDraft(self.page, spans, keepsakes, PageState.of(self.reading))

    def columns(self) -> TypesetColumns:
        page = self.page
        return {
            "tier": page.tier,
            "codec": self.tokens.codec,
            "vision_tokens": self.tokens.count,
            "token_bytes": len(self.blob),
            "text_bytes": 0 if self.text is None else len(self.text),
            "confidence": 1.0 if self.reading is None else self.reading.mean_confidence,
            "layout": page.layout,
            "rows_used": page.rows_used,
            "first_at": page.first_at,
            "last_at": page.last_at,
            "messages": page.messages,
        }


@dataclass(frozen=True)
class _Rest:
    """What is left of a page."""

    page: PageRow
    #: its cells without those of the messages that go
    state: PageState
    spans: list[SpanRow]
    keepsakes: list[KeepsakeRow]


class PageBlanker:
    """Blanks the cells of messages. Writes nothing."""

    def __init__(self, database: Database, decoder: PageDecoder, frequencies: DocumentFrequencies) -> None:
        self.database = database
        self.decoder = decoder
        self.frequencies = frequencies

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def blank(
        self, rows: Sequence[PageRow], contents: StoredContents, erased: Collection[int], now: datetime
    ) -> dict[int, BlankedPage]:
        """Page id → the page of `rows`, all of one bank, without the messages `erased`; each has others on it.

        What stays reads as before: exactly, or as the tokens of the page did. Where they cannot be made to read so, as
        with a vision model, words become gaps or read otherwise, and `changed` says how much. Raises `Unreadable` for a
        page that cannot be read or encoded now, `CodecError`.
        """
        for page in rows:
            if not can_draw_for(self.codec, PageLayout.from_dict(page.layout)) or page.tier not in self.codec.tiers:
                raise TokensDamaged(f"page {page.key}: {reasons.other_layout(self.codec.name)}")
        rests = self._rests(rows, contents, erased)
        kept = [rest for rest in rests if contents[rest.page.id].text is not None]
        decoded = [rest for rest in rests if contents[rest.page.id].text is None]
        return {page.page.id: page for page in (*self._exact(kept), *self._redrawn(decoded, erased, now))}

    def _rests(self, rows: Sequence[PageRow], contents: StoredContents, erased: Collection[int]) -> list[_Rest]:
        """What is left of the pages. Raises `Unreadable`."""
        ids = [row.id for row in rows]
        with self.database.read() as connection:
            spans = pages.spans_of_pages(connection, ids)
            keepsakes = pages.keepsakes_of(connection, ids)
            times = messages.times(connection, sorted({span.message_id for parts in spans.values() for span in parts}))
        states = self.decoder.read(rows, contents)
        rests = []
        for row in rows:
            state = states[row.id]
            if isinstance(state, Unreadable):
                raise state
            if contents[row.id].text is not None and state.source != "text":
                raise TokensDamaged(f"page {row.key}: {reasons.DAMAGED_TEXT}")
            left = [span for span in spans.get(row.id, []) if span.message_id not in erased]
            on_it = {span.message_id for span in left}
            said = [times[i] for i in on_it if i in times] or [row.first_at, row.last_at]
            used = max(1, -(-max(span.stop for span in left) // state.cells.shape[1]))
            page = replace(row, rows_used=used, first_at=min(said), last_at=max(said), messages=len(on_it))
            rests.append(
                _Rest(
                    page,
                    _only(state, left, used),
                    left,
                    [k for k in keepsakes.get(row.id, []) if k.message_id not in erased],
                )
            )
        return rests

    def _exact(self, rests: Sequence[_Rest]) -> list[BlankedPage]:
        """Pages with kept text."""
        result = []
        for tier in dict.fromkeys(rest.page.tier for rest in rests):
            group = [rest for rest in rests if rest.page.tier == tier]
            grids = [rest.state.cells for rest in group]
            images = [draw_page(rest.page, grid, tier) for rest, grid in zip(group, grids, strict=True)]
            for rest, grid, tokens in zip(group, grids, self.codec.encode(images, tier), strict=True):
                held = DroppedParts.of(rest.page.rows_used, rest.spans, rest.keepsakes)
                result.append(BlankedPage(rest.page, tokens, pack_cells(grid), None, held, 0.0))
        return result

    def _redrawn(self, rests: Sequence[_Rest], erased: Collection[int], now: datetime) -> list[BlankedPage]:
        """Pages that are read from tokens, drawn as ageing draws them."""
        result = []
        for tier in dict.fromkeys(rest.page.tier for rest in rests):
            group = [rest for rest in rests if rest.page.tier == tier]
            states = {rest.page.id: rest.state for rest in group}
            with self.database.read() as connection:
                found = fetch_stored_pages(connection, [r.page for r in group], states, self.frequencies, now)
            stored = []
            for rest, page in zip(group, found, strict=True):
                pairs = zip(page.spans, page.texts, strict=True)
                texts = [text for span, text in pairs if span.message_id not in erased]
                stored.append(replace(page, spans=rest.spans, keepsakes=rest.keepsakes, texts=texts))
            drawn = redraw(PageDrawer(self.codec), stored, tier)
            unread = [item.tokens for item in drawn if item.reading is None]
            readings = iter(self.decoder.read_tokens(unread))
            for rest, item in zip(group, drawn, strict=True):
                reading = item.reading if item.reading is not None else next(readings)
                result.append(_checked(rest, item.tokens, reading, item))
        return result


def _only(state: PageState, spans: Sequence[SpanRow], rows: int) -> PageState:
    """A copy of a page that was read as a whole, cropped to `rows`, with nothing on it but `spans`."""
    columns = state.cells.shape[1]
    kept = np.zeros(rows * columns, dtype=bool)
    for span in spans:
        kept[span.header_start : span.stop] = True
    cells, confidence = state.cells[:rows].copy(), state.confidence[:rows].copy()
    gone = ~kept.reshape(rows, columns)[: len(cells)]
    cells[gone], confidence[gone] = BLANK, 1.0
    return PageState(state.tier, state.source, state.flag_below, cells, confidence, np.ones(1, dtype=bool))


def _checked(rest: _Rest, tokens: VisionTokens, reading: Reading | CodecError, drawn: RedrawnPage) -> BlankedPage:
    """A page that was drawn again. Raises `Unreadable` if next to nothing of it can be read."""
    page, parts = rest.page, drawn.parts
    if not isinstance(reading, Reading):
        raise ReaderFailed(f"page {page.key} could not be read: {reading}") from reading
    if missing_share(drawn.cells, reading) > UNREAD_SHARE:
        raise ReaderFailed(f"page {page.key}: {reasons.not_read_back(page.tier)}")
    if parts is None:
        held = DroppedParts.of(page.rows_used, rest.spans, rest.keepsakes)
        return BlankedPage(page, tokens, None, reading, held, character_loss(rest.state.cells, reading))
    held = DroppedParts(parts.rows_used, parts.spans, parts.keepsakes)
    pairs = zip(drawn.before, parts.texts, strict=True)
    kept = sum(int(kept_characters(text, left).sum()) for text, left in pairs)
    changed = 1 - kept / max(1, sum(map(len, drawn.before)))
    return BlankedPage(replace(page, rows_used=parts.rows_used), tokens, None, reading, held, changed)
