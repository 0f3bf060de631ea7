"""Views of a single page: its image, its reading, its tokens, a preview of its fading."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.encoder import Codec, ReadFailed, Reading, TokensError, VisionTokens
from foxing.encoder.alignment.misread import misread_cells, without_confidence
from foxing.encoder.contract import can_draw_for
from foxing.encoder.drawing import PageDrawer
from foxing.memory.errors import Forgotten, InvalidInput, ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageContent, PageRow, SpanRow
from foxing.memory.values.pages import Line, MessageOnPage, PageReading
from foxing.memory.values.reports import FadedMessage, PagePreview
from foxing.renderer import PageLayout, render, tier_rank
from foxing.renderer.page import Cells, visible_cells, visible_text

from .content import PageState, unpack_tokens
from .decoder import PageDecoder
from .drawing import DocumentFrequencies, Flags, RedrawnPage, draw_page, fetch_stored_pages, redraw
from .exact_text import exact_cells
from .message_parts import read_part, recalled_message, uncertain_runs


def encode_png(image: Image) -> bytes:
    """Returns the image as a PNG file."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class _StoredPage:
    """A page with its contents."""

    row: PageRow
    tokens: bytes
    #: packed exact text; None if it is not kept
    text: bytes | None
    spans: Sequence[SpanRow]
    #: message id → message, for the messages of the spans
    messages: Mapping[int, Message]
    keepsakes: Sequence[KeepsakeRow]

    def unpack_tokens(self) -> VisionTokens:
        """Returns the vision tokens. Raises `TokensDamaged`."""
        try:
            return unpack_tokens(self.tokens)
        except TokensError as error:
            raise TokensDamaged(f"page {self.row.key}: {error}") from error

    def redrawn(self, drawn: RedrawnPage) -> Self:
        """Returns the page with its messages where they are placed in `drawn`."""
        parts = drawn.parts
        if parts is None:
            return self
        return replace(self, row=drawn.row(self.row), spans=parts.spans, keepsakes=parts.keepsakes)

    def misread_in(self, reading: Reading) -> Flags | None:
        """Returns bool[rows, columns]: the cells in which `reading`, of its tokens, differs from its exact text; None
        if that is not kept, or is damaged."""
        if self.text is None:
            return None
        try:
            return misread_cells(exact_cells(self.text, reading.cells.shape[1], reading), reading)
        except TokensDamaged:
            return None

    def check_tier(self, tier: str | None) -> str:
        """Returns `tier`, or the page's own for None. Raises `Forgotten` for a tier sharper than the page is held
        at."""
        if tier is None:
            return self.row.tier
        if tier_rank(tier) < tier_rank(self.row.tier) and self.text is None:
            raise Forgotten(f"page {self.row.key} is held at '{self.row.tier}'; its detail at '{tier}' is forgotten")
        return tier


class PageViewer:
    """Reads single pages for `Memory.page_image`, `Memory.read_page` and `Memory.page_tokens`."""

    def __init__(
        self,
        database: Database,
        decoder: PageDecoder,
        frequencies: DocumentFrequencies,
        clock: Callable[[], datetime],
    ) -> None:
        """`frequencies`: document frequencies from the index. `clock`: returns the current time, timezone-aware."""
        self.database = database
        self.decoder = decoder
        self.frequencies = frequencies
        self.clock = clock

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.decoder.load()

    def image(self, bank: str, page_id: str, tier: str | None) -> bytes:
        """Implements `Memory.page_image`."""
        page = self._stored(bank, page_id)
        tier_shown = page.check_tier(tier)
        if tier_shown == page.row.tier:
            return encode_png(draw_page(page.row, self._state(page).cells, tier_shown))
        drawn = self._drawn_at(page, tier_shown)
        return encode_png(render(drawn.cells, PageLayout.from_dict(page.row.layout), tier_shown))

    def read(self, bank: str, page_id: str, tier: str | None) -> PageReading:
        """Implements `Memory.read_page`."""
        page = self._stored(bank, page_id)
        at = page.check_tier(tier)
        drawn = None if at == page.row.tier else self._drawn_at(page, at)
        tokens = page.unpack_tokens() if drawn is None else drawn.tokens
        reading = self.decoder.read_tokens([tokens])[0]
        if isinstance(reading, ReadFailed):
            raise ReaderFailed(f"page {page_id} could not be read this time: {reading}") from reading
        if not isinstance(reading, Reading):
            raise TokensDamaged(f"page {page_id} cannot be read: {reading}") from reading
        wrong = page.misread_in(reading) if drawn is None else drawn.misread_in(reading)
        reading = reading if wrong is None else without_confidence(reading, wrong)
        page = page if drawn is None else page.redrawn(drawn)
        rows = page.row.rows_used
        cells = reading.cells[:rows]
        confidence = reading.confidence[:rows]
        text = visible_text(cells)
        places = visible_cells(cells)[: len(text)]
        confidences = confidence.reshape(-1)[places]
        gap = reading.gap[:rows].reshape(-1)[places]
        streamed = self.decoder.codec_named(tokens.codec).tiers[reading.tier].streamed
        state = replace(PageState.of(reading), compared=streamed or wrong is not None)
        parts = _parts_of_messages(page, state)
        return PageReading.model_validate(
            {
                "page_id": page_id,
                "tier": reading.tier,
                "source": "decoded",
                "text": text,
                "lines": _lines(cells, confidence),
                "uncertain": uncertain_runs(confidences, (confidences < reading.flag_below) & ~gap),
                "kept": round(_kept_of(page, parts), 4),
                "confidence": round(reading.mean_confidence, 4),
                "messages": parts,
            }
        )

    def preview(self, bank: str, page_id: str, tier: str | None) -> PagePreview:
        """Implements `Memory.preview_page`."""
        page = self._stored(bank, page_id)
        row = page.row
        drawn = self._drawn_at(page, self._lower_tier(page.row, tier))
        faded_texts = [None] * len(page.spans) if drawn.relaid is None else drawn.relaid.texts
        messages = [
            FadedMessage(
                message_id=page.messages[span.message_id].key,
                before=before,
                after=before if text is None else text.text,
                gaps=[] if text is None else sorted(text.gaps),
                begins_before=span.char_start > 0,
                continues_after=span.char_stop < page.messages[span.message_id].chars,
            )
            for span, before, text in zip(page.spans, drawn.before, faded_texts, strict=True)
        ]
        return PagePreview.model_validate(
            {
                "page_id": page_id,
                "from_tier": row.tier,
                "to_tier": drawn.tokens.tier,
                "vision_tokens_before": row.vision_tokens,
                "vision_tokens_after": drawn.tokens.count,
                "token_bytes_before": row.token_bytes,
                "token_bytes_after": len(drawn.tokens.to_bytes()),
                "words": drawn.words,
                "messages": messages,
            }
        )

    def _lower_tier(self, page: PageRow, tier: str | None) -> str:
        """Returns `tier`, or the codec's next one for None. Raises `InvalidInput` unless it is below that of the
        page."""
        lower = [name for name in self.codec.tiers if tier_rank(name) > tier_rank(page.tier)]
        if tier is None and lower:
            return lower[0]
        if tier not in lower:
            names = ", ".join(lower) or "none"
            raise InvalidInput(
                f"page {page.key} is held at '{page.tier}'; lower tiers of the {self.codec.name} codec: {names}"
            )
        return tier

    def tokens(self, bank: str, page_id: str) -> VisionTokens:
        """Implements `Memory.page_tokens`."""
        return self._stored(bank, page_id).unpack_tokens()

    def _stored(self, bank: str, page_id: str) -> _StoredPage:
        with self.database.read() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            tokens, text = pages.contents(connection, [row.id])[row.id]
            parts = pages.parts_of(connection, [row.id])[row.id]
            by_id = messages.on_pages(connection, [row.id])
        return _StoredPage(row, tokens, text, parts.spans, by_id, parts.keepsakes)

    def _drawn_at(self, page: _StoredPage, tier: str) -> RedrawnPage:
        """Returns the page as it would be drawn if moved to another tier. Raises `Unreadable`, `InvalidInput`."""
        if tier not in self.codec.tiers:
            raise InvalidInput(f"the {self.codec.name} codec has no tier '{tier}'")
        if not can_draw_for(self.codec, PageLayout.from_dict(page.row.layout)):
            raise InvalidInput(
                f"page {page.row.key} is laid out for a codec other than '{self.codec.name}'; reencode it"
            )
        states = {page.row.id: self._state(page)}
        with self.database.read() as connection:
            stored = fetch_stored_pages(connection, [page.row], states, self.frequencies, self.clock())
        return redraw(PageDrawer(self.codec, confidences=False), stored, tier)[0]

    def _state(self, page: _StoredPage) -> PageState:
        """Returns the best reading of a page: its kept text, or its tokens. Raises `Unreadable`."""
        state = self.decoder.read([page.row], {page.row.id: PageContent(page.tokens, page.text)})[page.row.id]
        if isinstance(state, Unreadable):
            raise state
        return state


def _parts_of_messages(page: _StoredPage, state: PageState) -> list[MessageOnPage]:
    """Returns the parts of messages on the page, in order."""
    parts = []
    for span in page.spans:
        message = page.messages[span.message_id]
        begins_before = span.char_start > 0
        continues_after = span.char_stop < message.chars
        whole = not (begins_before or continues_after)
        part = recalled_message(message, read_part(state, page.row, span, page.keepsakes), whole=whole)
        parts.append(MessageOnPage(**dict(part), begins_before=begins_before, continues_after=continues_after))
    return parts


def _kept_of(page: _StoredPage, parts: Sequence[MessageOnPage]) -> float:
    """Returns the share of the characters on the page that remain in `parts`, 0 to 1; 1 if there are none."""
    chars = [span.char_stop - span.char_start for span in page.spans]
    return sum(part.kept * count for part, count in zip(parts, chars, strict=True)) / sum(chars) if any(chars) else 1.0


def _lines(cells: Cells, confidence: npt.NDArray[np.float32]) -> list[Line]:
    return [
        Line(row=row, text=visible_text(cells[row]), confidence=round(float(confidence[row].mean()), 4))
        for row in range(cells.shape[0])
    ]
