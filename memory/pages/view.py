"""One page as it is held: its image, its reading, its tokens."""

from io import BytesIO
from typing import Any

from foxing.encoder import Codec, ReadFailed, Reading, TokensError, VisionTokens
from foxing.memory.errors import Forgotten, InvalidInput, ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.models import Line, PageReading
from foxing.memory.recall.assemble import MessageAssembler
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import Cells, PageLayout, grid_text, render, tier_rank

from .content import PageState
from .decoder import PageDecoder
from .message_parts import recalled, uncertain_runs

Content = tuple[PageRow, bytes, bytes | None]  # the page, its tokens, its kept text


class PageViewer:
    """Shows pages."""

    def __init__(self, database: Database, decoder: PageDecoder) -> None:
        self.database = database
        self.decoder = decoder

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def image(self, bank: str, page_id: str, tier: str | None) -> bytes:
        """See `Memory.page_image`."""
        content = self._content(bank, page_id)
        image = render(self._cells(content), PageLayout.from_dict(content[0].layout), _allowed(content, tier))
        buffer = BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    def read(self, bank: str, page_id: str, tier: str | None) -> PageReading:
        """See `Memory.read_page`."""
        content = self._content(bank, page_id)
        row = content[0]
        reading = self.decoder.read_tokens([self._tokens_at(content, _allowed(content, tier))])[0]
        if isinstance(reading, ReadFailed):
            raise ReaderFailed(f"page {page_id} could not be read this time: {reading}") from reading
        if not isinstance(reading, Reading):
            raise TokensDamaged(f"page {page_id} cannot be read: {reading}") from reading
        state = PageState.of(reading)
        with self.database.read() as connection:
            parts = pages.spans_of_pages(connection, [row.id]).get(row.id, [])
            found = messages.by_ids(connection, [span.message_id for span in parts])
            kept = pages.keepsakes_of(connection, [row.id]).get(row.id, [])
        cells, sure = reading.cells[: row.rows_used], reading.confidence[: row.rows_used]
        flat = sure.reshape(-1)
        return PageReading.model_validate(
            {
                "page_id": page_id,
                "tier": reading.tier,
                "source": "decoded",
                "text": reading.text,
                "lines": _lines(cells, sure),
                "uncertain": uncertain_runs(flat, flat < reading.flag_below),
                "confidence": round(reading.mean_confidence, 4),
                "messages": [
                    recalled(found[span.message_id], MessageAssembler.part(state, row, span, kept)) for span in parts
                ],
            }
        )

    def tokens(self, bank: str, page_id: str) -> VisionTokens:
        """See `Memory.page_tokens`."""
        return _unpacked(self._content(bank, page_id))

    def _content(self, bank: str, page_id: str) -> Content:
        with self.database.read() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            tokens, text = pages.contents(connection, [row.id])[row.id]
        return row, tokens, text

    def _tokens_at(self, content: Content, tier: str) -> VisionTokens:
        row = content[0]
        if tier == row.tier:
            return _unpacked(content)
        if tier not in self.codec.tiers:
            raise InvalidInput(f"the {self.codec.name} codec has no tier '{tier}'")
        return self.codec.encode([render(self._cells(content), PageLayout.from_dict(row.layout), tier)], tier)[0]

    def _cells(self, content: Content) -> Cells:
        """The best grid the memory still has of a page."""
        row, tokens, text = content
        state = self.decoder.read([row], {row.id: (tokens, text)})[row.id]
        if isinstance(state, Unreadable):
            raise state
        return state.cells[: row.rows_used]


def _allowed(content: Content, tier: str | None) -> str:
    row, _, text = content
    if tier is None:
        return row.tier
    if tier_rank(tier) < tier_rank(row.tier) and text is None:
        raise Forgotten(f"page {row.key} is held at '{row.tier}'; what '{tier}' showed is forgotten")
    return tier


def _unpacked(content: Content) -> VisionTokens:
    try:
        return VisionTokens.from_bytes(content[1])
    except TokensError as error:
        raise TokensDamaged(f"page {content[0].key}: {error}") from error


def _lines(cells: Cells, sure: Any) -> list[Line]:
    return [
        Line(row=row, text=grid_text(cells[row]), confidence=round(float(sure[row].mean()), 4))
        for row in range(cells.shape[0])
    ]
