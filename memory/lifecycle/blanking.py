"""Pages without some of their messages: the cells of these are blank, and the page is encoded again at its tier."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder import (
    UNREAD_SHARE,
    Codec,
    CodecError,
    PageDrawer,
    Reading,
    TokensError,
    can_draw_for,
    capabilities_of,
    known_misread,
    misread_of,
    with_misread,
)
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.lifecycle import reasons
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import DocumentFrequencies, RedrawnPage, fetch_stored_pages, redraw
from foxing.memory.pages.exact_text import pack_text
from foxing.memory.pages.fidelity import character_loss, missing_share
from foxing.memory.pages.preview import kept_characters
from foxing.memory.pages.ready_page import PageChange, ReadyPage
from foxing.memory.pages.view import draw_page
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.pages import PageContent, PageParts, PageRow, SpanRow
from foxing.renderer import BLANK, GAP_MARK, PageLayout, code_points
from foxing.renderer.fading import FadedText


class BlankedPage(NamedTuple):
    """A page without some of its messages, as it is to be written."""

    change: PageChange
    #: share of the characters left on it that read otherwise than before, 0 to 1
    lost: float = 0.0


class PageChanged(Exception):
    """Another process has changed a page since it was looked at."""


@dataclass(frozen=True)
class _Rest:
    """What is left of a page."""

    #: as it was
    before: PageRow
    #: the same without the messages that go
    page: PageRow
    #: where the other messages and their keepsakes stand
    parts: PageParts
    stored: PageContent
    #: bool[rows in use, columns]: the cells that nothing is left in
    gone: npt.NDArray[np.bool_]

    def becomes(self, page: ReadyPage, lost: float = 0.0) -> BlankedPage:
        return BlankedPage(PageChange(self.before, [page], self.stored), lost)

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
    ) -> list[BlankedPage]:
        """The pages of `rows`, all of one bank, without the messages `erased`; each has others on it.

        What stays reads as before: exactly, or as the tokens of the page did. Where they cannot be made to read so, as
        with a vision model, words become gaps or read otherwise, and `lost` says how much. Raises `Unreadable` for a
        page that cannot be read or encoded now, `CodecError`, and `PageChanged`.
        """
        for page in rows:
            if not can_draw_for(self.codec, PageLayout.from_dict(page.layout)) or page.tier not in self.codec.tiers:
                raise TokensDamaged(f"page {page.key}: {reasons.other_layout(self.codec.name)}")
        rests = self._rests(rows, contents, erased)
        done = list(self._cut_out(rests))
        cut_out = {blanked.change.page.id for blanked in done}
        rests = [rest for rest in rests if rest.page.id not in cut_out]
        states = self._states(rests, contents)
        done += self._exact([rest for rest in rests if rest.stored.text is not None], states)
        return [*done, *self._redrawn([rest for rest in rests if rest.stored.text is None], states, now)]

    def _rests(self, rows: Sequence[PageRow], contents: StoredContents, erased: Collection[int]) -> list[_Rest]:
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
            rests.append(_Rest(row, page, PageParts(left, kept), contents[row.id], gone))
        return rests

    def _cut_out(self, rests: Sequence[_Rest]) -> Iterator[BlankedPage]:
        """Those of the pages without kept text whose tokens are images, with the cells cut out of them."""
        codec = capabilities_of(self.codec).blankable
        for rest in rests if codec is not None else ():
            if codec is None or rest.stored.text is not None:
                continue
            try:
                before = unpack_tokens(rest.stored.tokens)
                [blanked] = codec.blank([before], [rest.gone])
                misread = misread_of(before, rest.gone.shape) & ~rest.gone
            except TokensError:
                continue  # damaged, or of another codec: reading the page reports which
            tokens = with_misread(blanked, misread)
            yield rest.becomes(ReadyPage.of(rest.page, tokens, None, parts=rest.parts))

    def _states(self, rests: Sequence[_Rest], contents: StoredContents) -> dict[int, PageState]:
        """Page id → what is left of the page as it is read now. Raises `Unreadable`."""
        found = self.decoder.read([rest.before for rest in rests], contents)
        states: dict[int, PageState] = {}
        for rest in rests:
            page, state = rest.page, found[rest.page.id]
            if isinstance(state, Unreadable):
                raise state
            if rest.stored.text is not None and state.source != "text":
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
                yield rest.becomes(ReadyPage.of(rest.page, tokens, text, parts=rest.parts))

    def _redrawn(self, rests: Sequence[_Rest], states: Mapping[int, PageState], now: datetime) -> Iterator[BlankedPage]:
        """Pages that are read from tokens, drawn as ageing draws them."""
        for tier, group in _by_tier(rests):
            with self.database.read() as connection:
                found = fetch_stored_pages(connection, [r.page for r in group], states, self.frequencies, now)
            stored = []
            for rest, page in zip(group, found, strict=True):
                spans, keepsakes = rest.parts.spans, rest.parts.keepsakes
                texts = [text for span, text in zip(page.spans, page.texts, strict=True) if span in spans]
                if len(texts) != len(spans):
                    raise PageChanged
                stored.append(replace(page, spans=spans, keepsakes=keepsakes, texts=texts))
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
    page = rest.page
    if not isinstance(reading, Reading):
        raise ReaderFailed(f"page {page.key} could not be read: {reading}") from reading
    if missing_share(drawn.cells, reading) > UNREAD_SHARE:
        raise ReaderFailed(f"page {page.key}: {reasons.not_read_back(page.tier)}")
    tokens = with_misread(drawn.tokens, drawn.misread_in(reading))
    reading = known_misread(reading, tokens)
    ready = ReadyPage.of(drawn.row(page), tokens, None, reading=reading, parts=drawn.parts or rest.parts)
    if drawn.relaid is None:
        return rest.becomes(ready, character_loss(state.cells, reading))
    return rest.becomes(ready, _lost_share(drawn.before, drawn.relaid.texts))


def _lost_share(before: Sequence[str], left: Sequence[FadedText]) -> float:
    """Share of the characters of texts, gaps and blanks aside, that are not left, 0 to 1."""
    kept = total = 0
    for text, faded in zip(before, left, strict=True):
        counted = ~np.isin(code_points(text), (ord(" "), ord(GAP_MARK)))
        total += int(counted.sum())
        kept += int((counted & kept_characters(text, faded)).sum())
    return 1 - kept / max(1, total)
