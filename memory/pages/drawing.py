"""Drawing of stored pages at a tier: text that does not fit fades, and spans and keepsakes are moved accordingly."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
from PIL.Image import Image
from sqlalchemy import Connection

from foxing.encoder import Reading, VisionTokens
from foxing.encoder.alignment.misread import misread_cells
from foxing.encoder.annotation import AnnotatedMessage, AnnotatedPage
from foxing.encoder.drawing import DrawnPage, FadedLayout, PageDrawer
from foxing.memory.salience import by_rarity, by_recall_weight, fade_last
from foxing.memory.storage.repositories import messages, pages, recall_weights
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageParts, PageRow, SpanRow
from foxing.memory.text.terms import terms
from foxing.memory.values.reports import WordCounts
from foxing.renderer import Entry, PageLayout, render
from foxing.renderer.breaks import Edge, whole_word_range
from foxing.renderer.fading import FadedText
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import Cells
from foxing.renderer.transcription import transcribe_placements

from .content import PageState
from .preview import word_counts
from .spans import keepsake_rows, part_edges
from .splice import SplicedText, splice

Flags = npt.NDArray[np.bool_]
#: Returns index term → number of messages of the bank that contain it, without terms that none contains.
DocumentFrequencies = Callable[[Connection, int, Collection[str]], Mapping[str, int]]


@dataclass(frozen=True)
class StoredPage:
    """A page, its cells as read, and the messages on it."""

    row: PageRow
    state: PageState
    #: in their order on the page
    spans: Sequence[SpanRow]
    #: message id → message, for the messages of the spans
    messages: Mapping[int, Message]
    keepsakes: Sequence[KeepsakeRow]
    #: the text of each span, with the page's keepsakes spliced into text read from tokens
    texts: Sequence[SplicedText]
    #: index term → number of messages of the bank that contain it, for the terms of the page
    frequencies: Mapping[str, int]
    #: message id → its recall weight, for messages that have one
    recall_weights: Mapping[int, float]


def fetch_stored_pages(
    connection: Connection,
    rows: Sequence[PageRow],
    states: Mapping[int, PageState],
    frequencies: DocumentFrequencies,
    now: datetime,
) -> list[StoredPage]:
    """Returns the pages of `rows`, all of one bank, with the messages on them.

    `states`: page id → state. `frequencies`: document frequencies from the bank's index. `now`: time to which recall
    weights decay.
    """
    ids = [row.id for row in rows]
    by_id = messages.on_pages(connection, ids)
    parts = pages.parts_of(connection, ids)
    texts = {row.id: _texts(row, states[row.id], parts[row.id]) for row in rows}
    all_terms = {term for of_page in texts.values() for text in of_page for term in terms(text.transcription.text)}
    term_counts = frequencies(connection, rows[0].bank_id, sorted(all_terms)) if rows else {}
    weights = recall_weights.strengths(connection, rows[0].bank_id, by_id, now) if rows else {}
    return [
        StoredPage(
            row,
            states[row.id],
            parts[row.id].spans,
            by_id,
            parts[row.id].keepsakes,
            texts[row.id],
            term_counts,
            weights,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class RelaidMessages:
    """Places of the messages on a page that was laid out again because some of it has faded."""

    rows_used: int
    parts: PageParts
    #: the remaining text of each span
    texts: Sequence[FadedText]


@dataclass(frozen=True)
class RedrawnPage:
    """A stored page as drawn and encoded at a tier."""

    #: uint32[rows, columns]
    cells: Cells
    tokens: VisionTokens
    #: reading of the tokens, if known already
    reading: Reading | None
    #: the text of each message on the page before
    before: Sequence[str]
    #: None if the page was not laid out again
    relaid: RelaidMessages | None
    #: bool[rows, columns]: the cells that show text known to be misread
    misread: Flags
    #: whether facts have faded
    facts_faded: bool = False

    @property
    def words(self) -> WordCounts:
        """Word counts of its messages by class, before and after."""
        return word_counts(self.before, None if self.relaid is None else self.relaid.texts)

    @property
    def parts(self) -> PageParts | None:
        """Spans and keepsakes, if the page was laid out again."""
        return None if self.relaid is None else self.relaid.parts

    def row(self, page: PageRow) -> PageRow:
        """Returns the row of `page` as drawn."""
        if self.relaid is None:
            return page
        return replace(page, rows_used=self.relaid.rows_used, facts_faded=page.facts_faded or self.facts_faded)

    def misread_in(self, reading: Reading) -> Flags:
        """Returns bool[rows, columns]: the cells in which `reading`, of its tokens, differs from the drawn page, and
        those misread before it was drawn."""
        return union(misread_cells(self.cells, reading), self.misread)


def draw_page(page: PageRow, cells: Cells, tier: str) -> Image:
    """Returns the page drawn at `tier`, an image of mode "L". `cells`: uint32[rows, columns], at least the rows that
    the page uses."""
    return render(cells[: page.rows_used], PageLayout.from_dict(page.layout), tier)


def redraw(drawer: PageDrawer, pages: Sequence[StoredPage], tier: str) -> list[RedrawnPage]:
    """Draws and encodes each page at `tier`. The pages must have a layout of the drawer's codec, which stores no
    confidences. Raises `CodecError`."""
    drawn = drawer.draw([_inked(page) for page in pages], tier)
    return [_redrawn(page, item) for page, item in zip(pages, drawn, strict=True)]


def _texts(row: PageRow, state: PageState, parts: PageParts) -> list[SplicedText]:
    layout = PageLayout.from_dict(row.layout)
    return [splice(state, layout, span, parts.keepsakes) for span in parts.spans]


def _inked(page: StoredPage) -> AnnotatedPage:
    annotated = []
    for span, text in zip(page.spans, page.texts, strict=True):
        message = page.messages[span.message_id]
        entry = Entry(str(message.id), message.role, "", message.created_at, message.thread, message.name)
        entry = replace(entry, marks=message.page_marks)
        annotated.append(AnnotatedMessage.of(entry, span, text.transcription, _edges(page, span)))
    cells = page.state.cells[: page.row.rows_used]
    refinements = (
        by_rarity(page.frequencies),
        by_recall_weight([page.recall_weights.get(span.message_id, 0.0) for span in page.spans]),
        fade_last([text.keepsakes for text in page.texts]),
    )
    return AnnotatedPage(PageLayout.from_dict(page.row.layout), cells, annotated, refinements)


def _redrawn(page: StoredPage, drawn: DrawnPage) -> RedrawnPage:
    relaid = None if drawn.faded is None else _relaid(page, drawn.faded)
    before = [text.transcription.text for text in page.texts]
    misread = known_misread_cells(page.state, drawn.cells) if drawn.faded is None else _misread_left(page, drawn.faded)
    return RedrawnPage(drawn.cells, drawn.tokens, drawn.reading, before, relaid, misread, drawn.facts_faded)


def union(one: Flags, other: Flags) -> Flags:
    """Returns the union of two masks, bool[rows, columns], with the rows of the longer one."""
    both = np.zeros((max(len(one), len(other)), one.shape[1]), dtype=bool)
    both[: len(one)] |= one
    both[: len(other)] |= other
    return both


def known_misread_cells(state: PageState, drawn: Cells) -> Flags:
    """Returns bool[rows, columns]: the cells known to be misread, for a page drawn as it was read. `drawn`:
    uint32[rows, columns]."""
    return union(state.confidence[: len(drawn)] == 0, np.zeros(drawn.shape, dtype=bool))


def _misread_left(page: StoredPage, faded: FadedLayout) -> Flags:
    """Returns bool[rows, columns]: the cells known to be misread, for a page that was laid out again."""
    misread = np.zeros(faded.page.cells.size, dtype=bool)
    read = transcribe_placements(faded.page)
    for span, text, faded_text, again in zip(faded.page.placements, page.texts, faded.texts, read, strict=True):
        wrong = text.transcription.confidence[faded_text.origin[: len(again.cell)]] == 0
        misread[span.start + again.cell[: len(wrong)][wrong]] = True
    return misread.reshape(faded.page.cells.shape)


def _relaid(page: StoredPage, faded: FadedLayout) -> RelaidMessages:
    spans = [
        old._replace(header_start=new.header_start, start=new.start, stop=new.stop)
        for old, new in zip(page.spans, faded.page.placements, strict=True)
    ]
    exact_by_span = [
        _kept(text, faded_text, whole_word_range(text.transcription.text, *_edges(page, span)))
        for span, text, faded_text in zip(page.spans, page.texts, faded.texts, strict=True)
    ]
    read = transcribe_placements(faded.page)
    rows = keepsake_rows(page.row.id, faded.page.placements, read, [[*exact_ranges] for exact_ranges in exact_by_span])
    exact = (text for exact_ranges in exact_by_span for text in exact_ranges.values())
    keepsakes = [row._replace(text=text) for row, text in zip(rows, exact, strict=True)]
    for number, start, stop, fact in faded.misread_facts:
        if all(row.stop <= start or stop <= row.start for row in keepsakes):
            keepsakes.append(KeepsakeRow(page.row.id, start, stop, page.spans[number].message_id, fact))
    return RelaidMessages(faded.page.rows_used, PageParts(spans, keepsakes), faded.texts)


def _edges(page: StoredPage, span: SpanRow) -> tuple[Edge, Edge]:
    return part_edges(page.state.cells, span, page.messages[span.message_id].chars)


def _kept(text: SplicedText, faded_text: FadedText, whole: tuple[int, int]) -> dict[tuple[int, int], str]:
    """Returns the keepsakes of a text by the range that holds each in the remaining text: the keepsake itself, or a gap
    that replaced nothing but the keepsake and punctuation, because a word that does not read as drawn fades.

    `whole`: the range in which no word is cut by a page break; parts of keepsakes outside it are dropped.
    """
    words = text.transcription.text
    ranges = {}
    for start, stop in text.keepsakes:
        if start < whole[0] or stop > whole[1]:
            continue
        first = int(np.searchsorted(faded_text.origin, start, side="left"))
        last = int(np.searchsorted(faded_text.origin, stop - 1, side="right"))
        if faded_text.text[first:last] == words[start:stop]:
            ranges[first, last] = words[start:stop]
        elif not faded_text.gaps.isdisjoint(range(first, last)):
            ranges |= _in_place_of_gap((start, stop), words, faded_text, (first, last))
    return ranges


def _in_place_of_gap(
    keepsake: tuple[int, int], words: str, faded_text: FadedText, place: tuple[int, int]
) -> dict[tuple[int, int], str]:
    """Returns the range of a gap, including blanks that belong to it, and its replacement: the keepsake with the
    punctuation beside it. Empty if the gap replaced more than that, or another gap was next to it. `place`: range in
    `faded_text` of the keepsake's remains."""
    first, last = place
    first -= first in faded_text.gaps and faded_text.text[:first].endswith(" ")
    last += last - 1 in faded_text.gaps and faded_text.text.startswith(" ", last)
    begin = int(faded_text.origin[first - 1]) + 1 if first else 0
    end = int(faded_text.origin[last]) if last < len(faded_text.text) else len(words)
    neighbourhood = words[begin : keepsake[0]] + words[keepsake[1] : end]
    if begin > keepsake[0] or end < keepsake[1] or any(c.isalnum() or c == GAP_MARK for c in neighbourhood):
        return {}
    if faded_text.text[first] == words[begin] == " ":
        first = first + 1
        begin = begin + 1
    if faded_text.text[last - 1] == words[end - 1] == " ":
        last = last - 1
        end = end - 1
    return {(first, last): words[begin:end]}
