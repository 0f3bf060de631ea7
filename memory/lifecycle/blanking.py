"""Removal of messages from pages: their cells are blanked, and the page is encoded again at its tier."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder import Codec, CodecError, Reading, TokensError
from foxing.encoder.alignment.misread import misread_of, with_misread
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.contract import UNREAD_SHARE, can_draw_for
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.lifecycle import reasons
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import DocumentFrequencies, RedrawnPage
from foxing.memory.pages.fidelity import character_loss, missing_share
from foxing.memory.pages.page_encoder import EncodeRequest, PageChanged, PageEncoder
from foxing.memory.pages.preview import kept_characters
from foxing.memory.pages.ready_page import PageChange, ReadyPage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.pages import PageContent, PageParts, PageRow, SpanRow
from foxing.renderer import PageLayout
from foxing.renderer.fading import FadedText
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK
from foxing.renderer.typeset import code_points


class BlankedPage(NamedTuple):
    """A page without some of its messages, ready to be written."""

    change: PageChange
    #: share of the remaining characters that read differently than before, 0 to 1
    lost: float = 0.0


@dataclass(frozen=True)
class _Rest:
    """The remainder of a page."""

    #: row before
    before: PageRow
    #: row without the erased messages
    page: PageRow
    #: spans and keepsakes of the remaining messages
    parts: PageParts
    stored: PageContent
    #: bool[rows in use, columns]: the cells that are blanked
    gone: npt.NDArray[np.bool_]

    def becomes(self, page: ReadyPage, lost: float = 0.0) -> BlankedPage:
        return BlankedPage(PageChange(self.before, [page], self.stored), lost)

    def state(self, state: PageState) -> PageState:
        """Returns a copy of the page as read, with erased cells blank."""
        cells = state.cells[: len(self.gone)].copy()
        confidence = state.confidence[: len(self.gone)].copy()
        cells[self.gone[: len(cells)]] = BLANK
        confidence[self.gone[: len(cells)]] = 1.0
        return replace(state, cells=cells, confidence=confidence, known=np.ones(1, dtype=bool))


class PageBlanker:
    """Blanks the cells of messages on pages. Writes nothing."""

    def __init__(self, database: Database, decoder: PageDecoder, frequencies: DocumentFrequencies) -> None:
        self.database = database
        self.decoder = decoder
        self.encoder = PageEncoder(database, decoder, frequencies)

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.decoder.load()

    def blank(
        self, rows: Sequence[PageRow], contents: StoredContents, erased: Collection[int], now: datetime
    ) -> list[BlankedPage]:
        """Returns the pages of `rows`, all of one bank, without the messages `erased`. Each page must hold other
        messages as well.

        The remaining text reads as before: exactly, or as the tokens of the page did. Where the codec cannot reproduce
        that, as with a vision model, words become gaps or read differently, and `lost` is their share. `now`: time to
        which recall weights decay. Raises `Unreadable` if a page cannot be read or encoded now, `CodecError`, and
        `PageChanged`.
        """
        for page in rows:
            if not can_draw_for(self.codec, PageLayout.from_dict(page.layout)) or page.tier not in self.codec.tiers:
                raise TokensDamaged(f"page {page.key}: {reasons.other_layout(self.codec.name)}")
        rests = self._rests(rows, contents, erased)
        done = list(self._cut_out(rests))
        cut_out = {blanked.change.page.id for blanked in done}
        rests = [part for part in rests if part.page.id not in cut_out]
        states = self._states(rests, contents)
        return [*done, *self._encoded(rests, states, now)]

    def _rests(self, rows: Sequence[PageRow], contents: StoredContents, erased: Collection[int]) -> list[_Rest]:
        """Returns the remainders of the pages. Raises `PageChanged` if nothing remains of one."""
        ids = [row.id for row in rows]
        with self.database.read() as connection:
            stored = pages.parts_of(connection, ids)
            on_them = {span.message_id for parts in stored.values() for span in parts.spans}
            times = messages.times(connection, rows[0].bank_id, on_them)
        rests = []
        for row in rows:
            others = [span for span in stored[row.id].spans if span.message_id not in erased]
            exact = [keepsake for keepsake in stored[row.id].keepsakes if keepsake.message_id not in erased]
            if not others:
                raise PageChanged
            on_it = {span.message_id for span in others}
            times_on_it = [times[i] for i in on_it if i in times] or [row.first_at, row.last_at]
            gone = _outside(others, PageLayout.from_dict(row.layout).columns)
            page = replace(
                row, rows_used=len(gone), first_at=min(times_on_it), last_at=max(times_on_it), messages=len(on_it)
            )
            rests.append(_Rest(row, page, PageParts(others, exact), contents[row.id], gone))
        return rests

    def _cut_out(self, rests: Sequence[_Rest]) -> Iterator[BlankedPage]:
        """Yields the pages without kept text whose tokens the codec can blank directly."""
        codec = capabilities_of(self.codec).blankable
        for part in rests if codec is not None else ():
            if codec is None or part.stored.text is not None:
                continue
            try:
                before = unpack_tokens(part.stored.tokens)
                [blanked] = codec.blank([before], [part.gone])
                misread = misread_of(before, part.gone.shape) & ~part.gone
            except TokensError:
                continue  # damaged, or of another codec: reading the page reports which
            tokens = with_misread(blanked, misread)
            page = ReadyPage.of(part.page, tokens, None, None, confidence=part.page.confidence, parts=part.parts)
            yield part.becomes(page)

    def _states(self, rests: Sequence[_Rest], contents: StoredContents) -> dict[int, PageState]:
        """Returns page id → remainder of the page as read now. Raises `Unreadable`."""
        page_states = self.decoder.read([part.before for part in rests], contents)
        states: dict[int, PageState] = {}
        for part in rests:
            page = part.page
            state = page_states[part.page.id]
            if isinstance(state, Unreadable):
                raise state
            if part.stored.text is not None and state.source != "text":
                raise TokensDamaged(f"page {page.key}: {reasons.DAMAGED_TEXT}")
            states[page.id] = part.state(state)
        return states

    def _encoded(self, rests: Sequence[_Rest], states: Mapping[int, PageState], now: datetime) -> Iterator[BlankedPage]:
        """Encodes remainders: with kept text unchanged, without it faded as in ageing."""
        requests = [
            EncodeRequest(part.page, part.page.tier, states[part.page.id], part.stored.text is None, part.parts)
            for part in rests
        ]
        encoded = self.encoder.encode(requests, now)
        to_read = [r for r in rests if r.stored.text is None or self.codec.tiers[r.page.tier].streamed]
        drawn = [encoded[part.page.id] for part in to_read]
        read = self.decoder.read_tokens([page.tokens for page in drawn], [page.reading for page in drawn])
        readings = {part.page.id: reading for part, reading in zip(to_read, read, strict=True)}
        for part in rests:
            page_id = part.page.id
            yield _checked(part, encoded[page_id], readings.get(page_id), states[page_id])


def _outside(spans: Sequence[SpanRow], columns: int) -> npt.NDArray[np.bool_]:
    """Returns bool[rows up to the last of `spans`, columns]: the cells outside all of them."""
    rows = max(1, -(-max(span.stop for span in spans) // columns))
    outside = np.ones(rows * columns, dtype=bool)
    for span in spans:
        outside[span.header_start : span.stop] = False
    return outside.reshape(rows, columns)


def _checked(part: _Rest, drawn: RedrawnPage, reading: Reading | CodecError | None, state: PageState) -> BlankedPage:
    """Returns an encoded page after checking its reading. Raises `Unreadable` if almost nothing of it can be read."""
    page = part.page
    if part.stored.text is not None:
        read = reading if isinstance(reading, Reading) else None
        return part.becomes(ReadyPage.exact(page, drawn.tokens, drawn.cells, read, parts=part.parts))
    if not isinstance(reading, Reading):
        raise ReaderFailed(f"page {page.key} could not be read: {reading}") from reading
    if missing_share(drawn.cells, reading) > UNREAD_SHARE:
        raise ReaderFailed(f"page {page.key}: {reasons.not_read_back(page.tier)}")
    misread = drawn.misread_in(reading)
    parts = drawn.parts or part.parts
    ready = ReadyPage.decoded(drawn.row(page), drawn.tokens, reading, misread, parts=parts)
    if drawn.relaid is not None:
        return part.becomes(ready, _lost_share(drawn.before, drawn.relaid.texts))
    return part.becomes(ready, character_loss(state.cells, reading))


def _lost_share(before: Sequence[str], faded_texts: Sequence[FadedText]) -> float:
    """Returns the share of the characters of texts that are lost, 0 to 1. Gaps and blanks do not count."""
    remaining = total = 0
    for text, faded in zip(before, faded_texts, strict=True):
        counted = ~np.isin(code_points(text), (ord(" "), ord(GAP_MARK)))
        total += int(counted.sum())
        remaining += int((counted & kept_characters(text, faded)).sum())
    return 1 - remaining / max(1, total)
