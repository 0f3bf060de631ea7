"""Pages without some of their messages: the cells of these are blank, and the page is encoded again at its tier."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from foxing.encoder import (
    UNREAD_SHARE,
    Codec,
    CodecError,
    PageDrawer,
    Reading,
    TokensError,
    VisionTokens,
    can_draw_for,
    capabilities_of,
    known_misread,
    misread_of,
    with_misread,
)
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.lifecycle import reasons
from foxing.memory.pages.assembler import PageDraft
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import DocumentFrequencies, RedrawnPage, fetch_stored_pages, redraw
from foxing.memory.pages.exact_text import pack_text
from foxing.memory.pages.fidelity import character_loss, missing_share
from foxing.memory.pages.preview import kept_characters
from foxing.memory.pages.view import draw_page
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow, TypesetColumns
from foxing.memory.storage.repositories.trash import DroppedParts
from foxing.renderer import BLANK, GAP_MARK, PageLayout, code_points
from foxing.renderer.fading import FadedText


@dataclass(frozen=True)
class BlankedPage:
    """A page without some of its messages, as it is to be written."""

    #: as it is, but for the rows in use and the times of its messages
    page: PageRow
    tokens: VisionTokens
    #: what is kept of its exact text, if it is kept
    text: bytes | None
    #: what the tokens read as; None while the text is kept, and where the other cells were left alone
    reading: Reading | None
    #: where the other messages and their keepsakes stand
    parts: DroppedParts
    #: share of the characters left on it that read otherwise than before, 0 to 1
    changed: float = 0.0

    @property
    def blob(self) -> bytes:
        return self.tokens.to_bytes()

    @property
    def bytes(self) -> int:
        """Bytes of tokens and kept text."""
        return len(self.blob) + (0 if self.text is None else len(self.text))

    def draft(self) -> PageDraft | None:
        """The page for the index; None where no message on it can have lost a word."""
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
            "text_kept": self.text is not None,
            "confidence": page.confidence if self.reading is None else self.reading.mean_confidence,
            "layout": page.layout,
            "rows_used": page.rows_used,
            "first_at": page.first_at,
            "last_at": page.last_at,
            "messages": page.messages,
        }


class PageChanged(Exception):
    """Another process has changed a page since it was looked at."""


@dataclass(frozen=True)
class _Rest:
    """What is left of a page."""

    #: as it was
    before: PageRow
    #: the same without the messages that go
    page: PageRow
    spans: list[SpanRow]
    keepsakes: list[KeepsakeRow]
    #: bool[rows in use, columns]: the cells that nothing is left in
    gone: npt.NDArray[np.bool_]

    @property
    def parts(self) -> DroppedParts:
        return DroppedParts.of(self.page.rows_used, self.spans, self.keepsakes)

    def state(self, state: PageState) -> PageState:
        """A copy of the page as it was read, without what goes."""
        cells, confidence = state.cells[: len(self.gone)].copy(), state.confidence[: len(self.gone)].copy()
        cells[self.gone[: len(cells)]], confidence[self.gone[: len(cells)]] = BLANK, 1.0
        return replace(state, cells=cells, confidence=confidence, known=np.ones(1, dtype=bool))


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
        page that cannot be read or encoded now, `CodecError`, and `PageChanged`.
        """
        for page in rows:
            if not can_draw_for(self.codec, PageLayout.from_dict(page.layout)) or page.tier not in self.codec.tiers:
                raise TokensDamaged(f"page {page.key}: {reasons.other_layout(self.codec.name)}")
        rests = self._rests(rows, erased)
        done = list(self._cut_out(rests, contents))
        rests = [rest for rest in rests if rest.page.id not in {page.page.id for page in done}]
        states = self._states(rests, contents)
        done += self._exact([rest for rest in rests if contents[rest.page.id].text is not None], states)
        done += self._redrawn([rest for rest in rests if contents[rest.page.id].text is None], states, now)
        return {page.page.id: page for page in done}

    def _rests(self, rows: Sequence[PageRow], erased: Collection[int]) -> list[_Rest]:
        """What is left of the pages."""
        ids = [row.id for row in rows]
        with self.database.read() as connection:
            spans = pages.spans_of_pages(connection, ids)
            keepsakes = pages.keepsakes_of(connection, ids)
            on_them = {span.message_id for parts in spans.values() for span in parts}
            times = messages.times(connection, rows[0].bank_id, on_them)
        rests = []
        for row in rows:
            left = [span for span in spans.get(row.id, []) if span.message_id not in erased]
            kept = [keepsake for keepsake in keepsakes.get(row.id, []) if keepsake.message_id not in erased]
            if not left:
                raise PageChanged
            on_it = {span.message_id for span in left}
            said = [times[i] for i in on_it if i in times] or [row.first_at, row.last_at]
            gone = _outside(left, PageLayout.from_dict(row.layout).columns)
            page = replace(row, rows_used=len(gone), first_at=min(said), last_at=max(said), messages=len(on_it))
            rests.append(_Rest(row, page, left, kept, gone))
        return rests

    def _cut_out(self, rests: Sequence[_Rest], contents: StoredContents) -> Iterator[BlankedPage]:
        """Those of the pages without kept text whose tokens are images, with the cells cut out of them."""
        codec = capabilities_of(self.codec).blankable
        for rest in rests if codec is not None else ():
            tokens, text = contents[rest.page.id]
            if codec is None or text is not None:
                continue
            try:
                before = unpack_tokens(tokens)
                [blanked] = codec.blank([before], [rest.gone])
                misread = misread_of(before, rest.gone.shape) & ~rest.gone
            except TokensError:
                continue  # damaged, or of another codec: reading the page reports which
            yield BlankedPage(rest.page, with_misread(blanked, misread), None, None, rest.parts)

    def _states(self, rests: Sequence[_Rest], contents: StoredContents) -> dict[int, PageState]:
        """Page id → what is left of the page as it is read now. Raises `Unreadable`."""
        found = self.decoder.read([rest.before for rest in rests], contents)
        states: dict[int, PageState] = {}
        for rest in rests:
            page, state = rest.page, found[rest.page.id]
            if isinstance(state, Unreadable):
                raise state
            if contents[page.id].text is not None and state.source != "text":
                raise TokensDamaged(f"page {page.key}: {reasons.DAMAGED_TEXT}")
            states[page.id] = rest.state(state)
        return states

    def _exact(self, rests: Sequence[_Rest], states: Mapping[int, PageState]) -> Iterator[BlankedPage]:
        """Pages with kept text."""
        for tier, group in _by_tier(rests):
            grids = [states[rest.page.id].cells for rest in group]
            images = [draw_page(rest.page, grid, tier) for rest, grid in zip(group, grids, strict=True)]
            encoded = self.codec.encode(images, tier)
            streamed = self.codec.tiers[tier].streamed
            read = self.decoder.read_tokens(encoded) if streamed else [None] * len(group)
            for rest, grid, tokens, reading in zip(group, grids, encoded, read, strict=True):
                text = pack_text(grid, reading if isinstance(reading, Reading) else None)
                yield BlankedPage(rest.page, tokens, text, None, rest.parts)

    def _redrawn(self, rests: Sequence[_Rest], states: Mapping[int, PageState], now: datetime) -> Iterator[BlankedPage]:
        """Pages that are read from tokens, drawn as ageing draws them."""
        for tier, group in _by_tier(rests):
            with self.database.read() as connection:
                found = fetch_stored_pages(connection, [r.page for r in group], states, self.frequencies, now)
            stored = []
            for rest, page in zip(group, found, strict=True):
                texts = [text for span, text in zip(page.spans, page.texts, strict=True) if span in rest.spans]
                if len(texts) != len(rest.spans):
                    raise PageChanged
                stored.append(replace(page, spans=rest.spans, keepsakes=rest.keepsakes, texts=texts))
            drawn = redraw(PageDrawer(self.codec), stored, tier)
            readings = iter(self.decoder.read_tokens([item.tokens for item in drawn if item.reading is None]))
            for rest, item in zip(group, drawn, strict=True):
                reading = item.reading if item.reading is not None else next(readings)
                yield _checked(rest, item, reading, states[rest.page.id])


def _by_tier(rests: Sequence[_Rest]) -> Iterator[tuple[str, list[_Rest]]]:
    for tier in dict.fromkeys(rest.page.tier for rest in rests):
        yield tier, [rest for rest in rests if rest.page.tier == tier]


def _outside(spans: Sequence[SpanRow], columns: int) -> npt.NDArray[np.bool_]:
    """bool[rows up to the last of `spans`, columns]: the cells that belong to none of them."""
    rows = max(1, -(-max(span.stop for span in spans) // columns))
    outside = np.ones(rows * columns, dtype=bool)
    for span in spans:
        outside[span.header_start : span.stop] = False
    return outside.reshape(rows, columns)


def _checked(rest: _Rest, drawn: RedrawnPage, reading: Reading | CodecError, state: PageState) -> BlankedPage:
    """A page that was drawn again. Raises `Unreadable` if next to nothing of it can be read."""
    page, parts = rest.page, drawn.parts
    if not isinstance(reading, Reading):
        raise ReaderFailed(f"page {page.key} could not be read: {reading}") from reading
    if missing_share(drawn.cells, reading) > UNREAD_SHARE:
        raise ReaderFailed(f"page {page.key}: {reasons.not_read_back(page.tier)}")
    tokens = with_misread(drawn.tokens, drawn.misread_in(reading))
    reading = known_misread(reading, tokens)
    if parts is None:
        return BlankedPage(page, tokens, None, reading, rest.parts, character_loss(state.cells, reading))
    held = DroppedParts(parts.rows_used, parts.spans, parts.keepsakes)
    changed = _lost_share(drawn.before, parts.texts)
    return BlankedPage(replace(page, rows_used=parts.rows_used), tokens, None, reading, held, changed)


def _lost_share(before: Sequence[str], left: Sequence[FadedText]) -> float:
    """Share of the characters of texts, gaps and blanks aside, that are not left, 0 to 1."""
    kept = total = 0
    for text, faded in zip(before, left, strict=True):
        counted = ~np.isin(code_points(text), (ord(" "), ord(GAP_MARK)))
        total += int(counted.sum())
        kept += int((counted & kept_characters(text, faded)).sum())
    return 1 - kept / max(1, total)
