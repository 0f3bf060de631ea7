"""Database rows for the spans and keepsakes of a typeset page."""

from collections.abc import Sequence

from foxing.memory.storage.repositories.pages import KeepsakeRow, SpanRow
from foxing.renderer.breaks import Edge
from foxing.renderer.page import Cells, Placement, edges_of
from foxing.renderer.transcription import Transcription

Ranges = Sequence[tuple[int, int]]  # of characters, half open


def part_edges(cells: Cells, span: SpanRow, chars: int) -> tuple[Edge, Edge]:
    """Returns the marks for the beginning and end of the part of a message in `span`. `cells`: cells of its page.
    `chars`: length of the message."""
    header = cells.reshape(-1)[span.header_start : span.start]
    return edges_of(header, begins_before=span.char_start > 0, continues_after=span.char_stop < chars)


def span_rows(page_id: int, spans: Sequence[Placement]) -> list[SpanRow]:
    """Returns the spans of a typeset page as rows."""
    return [
        SpanRow(
            page_id,
            ordinal,
            int(span.message_id),
            span.header_start,
            span.start,
            span.stop,
            span.char_start,
            span.char_stop,
        )
        for ordinal, span in enumerate(spans)
    ]


def keepsake_rows(
    page_id: int, spans: Sequence[Placement], parts: Sequence[Transcription], ranges: Sequence[Ranges]
) -> list[KeepsakeRow]:
    """Returns the keepsakes of a typeset page as rows. `parts`: the text in each span. `ranges`: the characters of each
    that are kept exactly."""
    rows: list[KeepsakeRow] = []
    for span, part, exact in zip(spans, parts, ranges, strict=True):
        edges = [*(part.cell + span.start).tolist(), span.stop]
        rows += [
            KeepsakeRow(page_id, edges[first], edges[last], int(span.message_id), part.text[first:last])
            for first, last in exact
        ]
    return rows
