"""Database rows for the spans and keepsakes of a typeset page."""

from collections.abc import Sequence

from foxing.memory.storage.repositories.pages import NewKeepsake, NewSpan, SpanRow
from foxing.renderer import Cells, Edge, Span, Transcription, edges_of

Ranges = Sequence[tuple[int, int]]  # of characters, half open


def part_edges(cells: Cells, span: SpanRow, chars: int) -> tuple[Edge, Edge]:
    """How the part of a message in `span` begins and ends. `cells`: those of its page; `chars`: of the message."""
    header = cells.reshape(-1)[span.header_start : span.start]
    return edges_of(header, begins_before=span.char_start > 0, goes_on=span.char_stop < chars)


def span_rows(spans: Sequence[Span]) -> list[NewSpan]:
    """Rows of the table `spans`, without `page_id`."""
    return [
        {
            "ordinal": ordinal,
            "message_id": int(span.message_id),
            "header_start": span.header_start,
            "start": span.start,
            "stop": span.stop,
            "char_start": span.char_start,
            "char_stop": span.char_stop,
        }
        for ordinal, span in enumerate(spans)
    ]


def keepsake_rows(spans: Sequence[Span], parts: Sequence[Transcription], ranges: Sequence[Ranges]) -> list[NewKeepsake]:
    """Rows of the table `keepsakes`, without `page_id`. `parts`: the text in each span; `ranges`: the characters of it
    that are kept exactly."""
    rows: list[NewKeepsake] = []
    for span, part, kept in zip(spans, parts, ranges, strict=True):
        edges = [*(part.cell + span.start).tolist(), span.stop]
        rows += [
            {
                "start": edges[first],
                "stop": edges[last],
                "message_id": int(span.message_id),
                "text": part.text[first:last],
            }
            for first, last in kept
        ]
    return rows
