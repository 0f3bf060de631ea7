"""Typesetting of a page's messages in another layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from foxing.memory.pages.content import PageState
from foxing.memory.pages.drawing import Flags
from foxing.memory.pages.spans import Ranges, keepsake_rows, part_edges, span_rows
from foxing.memory.pages.splice import splice
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageParts, SpanRow, unsaved_id
from foxing.renderer import Entry, Page, PageLayout, Typesetter
from foxing.renderer.page import Cells, Placement
from foxing.renderer.transcription import Transcription, transcribe_placements


@dataclass(frozen=True)
class MessagePart:
    """The part of a message that a page holds."""

    #: its place on the old page
    span: SpanRow
    #: its text, with the page's keepsakes spliced in
    text: str
    #: ranges of `text` that are keepsakes
    keepsakes: Ranges
    #: offsets of the gaps in `text`
    gaps: frozenset[int] = frozenset()
    #: bool[len(text)]: characters that are known to be misread
    misread: Flags | None = None
    #: uint32[rows, columns]: cells of the old page
    cells: Cells = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint32))


@dataclass(frozen=True)
class RetypesetPage:
    """A page typeset in the new layout."""

    #: id of the page that it replaces, or a new one
    page_id: int
    #: character offsets of its spans are relative to the complete messages
    page: Page
    parts: PageParts
    #: the message of each span
    messages: list[Message]
    #: bool[rows, columns]: the cells that show text known to be misread
    misread: Flags


def message_part(state: PageState, layout: PageLayout, span: SpanRow, keepsakes: Sequence[KeepsakeRow]) -> MessagePart:
    """Returns the part of a message in `span` of a page with that `state` and `layout`. `keepsakes`: all of the
    page."""
    spliced = splice(state, layout, span, keepsakes)
    read = spliced.transcription
    return MessagePart(
        span, read.text, spliced.keepsakes, frozenset(read.gaps.tolist()), read.confidence == 0, state.cells
    )


def retypeset(
    typesetter: Typesetter, page_id: int, parts: Sequence[MessagePart], messages: Mapping[int, Message]
) -> list[RetypesetPage]:
    """Typesets `parts`, all of the page `page_id`, in the layout of `typesetter`. Returns one or more pages.
    `messages`: by id."""
    by_message = {str(part.span.message_id): part for part in parts}
    result: list[RetypesetPage] = []
    for page in typesetter.pages([_entry(part, messages[part.span.message_id]) for part in parts]):
        exact = [_keepsakes_in(by_message[span.message_id], span) for span in page.placements]
        read = transcribe_placements(page)
        spans = tuple(_counted_in_message(by_message[span.message_id], span) for span in page.placements)
        new_id = unsaved_id() if result else page_id
        result.append(
            RetypesetPage(
                new_id,
                replace(page, placements=spans),
                PageParts(span_rows(new_id, spans), keepsake_rows(new_id, page.placements, read, exact)),
                [messages[int(span.message_id)] for span in page.placements],
                _misread_cells(page, read, [by_message[span.message_id] for span in page.placements]),
            )
        )
    return result


def _misread_cells(page: Page, read: Sequence[Transcription], parts: Sequence[MessagePart]) -> Flags:
    """Returns bool[rows, columns]: the cells of `page` with misread characters. `read`: the text of each span. `parts`:
    the part that each span comes from."""
    misread = np.zeros(page.cells.size, dtype=bool)
    for span, text, part in zip(page.placements, read, parts, strict=True):
        if part.misread is not None:
            flags = part.misread[span.char_start : span.char_start + len(text.cell)]
            misread[span.start + text.cell[: len(flags)][flags]] = True
    return misread.reshape(page.cells.shape)


def _entry(part: MessagePart, message: Message) -> Entry:
    begin, end = part_edges(part.cells, part.span, message.chars)
    entry = Entry(str(message.id), message.role, part.text, message.created_at, message.thread, message.name)
    return replace(entry, gaps=part.gaps, begin=begin, end=end, marks=message.page_marks)


def _keepsakes_in(part: MessagePart, span: Placement) -> Ranges:
    """Returns the keepsakes of `part` in `span` of a new page, relative to the start of the span. A page break inside a
    keepsake splits it."""
    first = span.char_start
    last = span.char_stop
    return [
        (max(start, first) - first, min(stop, last) - first)
        for start, stop in part.keepsakes
        if max(start, first) < min(stop, last)
    ]


def _counted_in_message(part: MessagePart, span: Placement) -> Placement:
    """Returns `span` with character offsets relative to the complete message instead of `part`.

    A misread part may have more or fewer characters than the original, so the position of a page break inside it is an
    estimate; its ends are exact.
    """
    first = part.span.char_start
    length = part.span.char_stop - part.span.char_start
    start, stop = (
        first + length if place == len(part.text) else first + place * length // len(part.text)
        for place in (span.char_start, span.char_stop)
    )
    return replace(span, char_start=first if span.char_start == 0 else start, char_stop=stop)
