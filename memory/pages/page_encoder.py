"""Encoding of stored pages at a tier, drawn from what was read of them, either unchanged or faded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from foxing.encoder import Codec
from foxing.encoder.drawing import PageDrawer
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories.pages import PageParts, PageRow
from foxing.memory.telemetry import operation

from .content import PageState
from .decoder import PageDecoder
from .drawing import (
    DocumentFrequencies,
    RedrawnPage,
    StoredPage,
    draw_page,
    fetch_stored_pages,
    known_misread_cells,
    redraw,
)


class PageChanged(Exception):
    """Raised if another process has changed a page since it was read."""


@dataclass(frozen=True)
class EncodeRequest:
    """Request to encode a page at `tier`."""

    row: PageRow
    tier: str
    #: the page as read
    state: PageState
    #: True if text that does not fit fades; otherwise the page must read as before
    fades: bool
    #: spans and keepsakes that stay on the page; None for all
    parts: PageParts | None = None


class PageEncoder:
    """Encodes stored pages. Writes nothing."""

    def __init__(self, database: Database, decoder: PageDecoder, frequencies: DocumentFrequencies) -> None:
        """`frequencies`: document frequencies from the index."""
        self.database = database
        self.decoder = decoder
        self.frequencies = frequencies

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.decoder.load()

    def encode(self, requests: Sequence[EncodeRequest], now: datetime) -> dict[int, RedrawnPage]:
        """Returns page id → page as drawn and encoded. `now`: time to which recall weights decay. Raises `CodecError`,
        and `PageChanged` if a page lacks a span that is to stay on it."""
        encoded: dict[int, RedrawnPage] = {}
        for tier, fades in dict.fromkeys((request.tier, request.fades) for request in requests):
            group = [request for request in requests if (request.tier, request.fades) == (tier, fades)]
            drawn = self._faded(group, tier, now) if fades else self._as_read(group, tier)
            encoded |= {request.row.id: page for request, page in zip(group, drawn, strict=True)}
        return encoded

    def _faded(self, group: Sequence[EncodeRequest], tier: str, now: datetime) -> list[RedrawnPage]:
        states = {request.row.id: request.state for request in group}
        with self.database.read() as connection:
            rows = [request.row for request in group]
            pages_in_store = fetch_stored_pages(connection, rows, states, self.frequencies, now)
        stored = [_with_parts(page, request.parts) for page, request in zip(pages_in_store, group, strict=True)]
        with operation("draw", pages=len(group), tier=tier):
            return redraw(PageDrawer(self.codec, confidences=False), stored, tier)

    def _as_read(self, group: Sequence[EncodeRequest], tier: str) -> list[RedrawnPage]:
        grids = [request.state.cells[: request.row.rows_used] for request in group]
        images = [draw_page(request.row, grid, tier) for request, grid in zip(group, grids, strict=True)]
        with operation("encode", pages=len(group), tier=tier):
            encoded = self.codec.encode(images, tier)
        return [
            RedrawnPage(grid, tokens, None, (), None, known_misread_cells(request.state, grid))
            for request, grid, tokens in zip(group, grids, encoded, strict=True)
        ]


def _with_parts(page: StoredPage, parts: PageParts | None) -> StoredPage:
    if parts is None:
        return page
    texts = [text for span, text in zip(page.spans, page.texts, strict=True) if span in parts.spans]
    if len(texts) != len(parts.spans):
        raise PageChanged
    return replace(page, spans=parts.spans, keepsakes=parts.keepsakes, texts=texts)
