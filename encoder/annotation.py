"""Annotated pages: pages to draw at a tier, with the known text of their messages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from foxing.renderer import Entry, Page, PageLayout
from foxing.renderer.breaks import Edge
from foxing.renderer.fading import MessageWords, Salience
from foxing.renderer.marks import GAP_MARK, MARK_HEADER_CELLS
from foxing.renderer.page import BLANK, Cells, edges_of
from foxing.renderer.transcription import Transcription, transcribe, transcribe_placements

from .contract import Reading

#: Characters read with a lower confidence are more likely wrong than right; other flagged characters are usually right.
MISREAD_BELOW = 0.5

Flags = npt.NDArray[np.bool_]
#: (messages of a page, salience of their words) → adjusted salience; float64[words] for each message, see `fade`.
Refinement = Callable[[Sequence[MessageWords], Sequence[Salience]], list[Salience]]


class MessageCells(Protocol):
    """Cells of a message on a page: the first cell of its header, and the half-open range of its content."""

    @property
    def header_start(self) -> int:
        """First cell of the header."""
        ...

    @property
    def start(self) -> int:
        """First cell of the content."""
        ...

    @property
    def stop(self) -> int:
        """Cell after the content."""
        ...


@dataclass(frozen=True)
class AnnotatedMessage:
    """Known text of a message, or of the part of it on a page."""

    entry: Entry
    #: Half-open range of the cells of its content.
    start: int
    stop: int
    #: int64[characters], ascending: the cell in which each character begins, relative to `start`.
    cell: npt.NDArray[np.int64]
    #: bool[characters]: likely misread characters. Words that contain one fade first.
    likely_misread: Flags

    @classmethod
    def of(cls, entry: Entry, placement: MessageCells, read: Transcription, edges: tuple[Edge, Edge]) -> Self:
        """Builds the annotation of the part of the message `entry` in `placement`. `read`: its transcription, with
        cells relative to the start of the placement; `edges`: edges of the part."""
        gaps = frozenset(read.gaps.tolist())
        header = placement.start - placement.header_start > MARK_HEADER_CELLS
        begin, end = edges
        entry = replace(entry, content=read.text, skip_chars=0, gaps=gaps, header=header, begin=begin, end=end)
        likely_misread = read.confidence < MISREAD_BELOW
        likely_misread[read.gaps] = False
        return cls(entry, placement.start, placement.stop, read.cell, likely_misread)


@dataclass(frozen=True)
class AnnotatedPage:
    """Page with the known text of its messages."""

    layout: PageLayout
    #: uint32[rows, columns].
    cells: Cells
    #: In the order of the page.
    messages: Sequence[AnnotatedMessage]
    #: Adjustments of the salience of its words, applied in order.
    refinements: Sequence[Refinement] = ()


def annotate_page(page: Page, messages: Mapping[str, Entry]) -> AnnotatedPage:
    """Annotates a page as typeset, whose text is known exactly. `messages`: its messages by id."""
    pairs = zip(page.placements, transcribe_placements(page), strict=True)
    annotated = [
        AnnotatedMessage.of(messages[placement.message_id], placement, read, _edges(page, placement))
        for placement, read in pairs
    ]
    return AnnotatedPage(page.layout, page.cells, annotated)


def annotate_reading(page: Page, reading: Reading, messages: Mapping[str, Entry]) -> AnnotatedPage:
    """Annotates a page of which only the reading is known. `page`: the page as drawn, with the placements of all its
    messages; `messages`: its messages by id, whose text is replaced by that of the reading."""
    cells = match_rows(reading.cells, page.cells)
    confidence = np.ones(page.cells.shape, dtype=np.float32)
    confidence[: len(reading.confidence)] = reading.confidence[: len(confidence)]
    annotated = []
    for placement in page.placements:
        run = slice(placement.start, placement.stop)
        read = transcribe(
            cells.reshape(-1)[run], confidence.reshape(-1)[run], layout=page.layout, start=placement.start
        )
        if placement.start == placement.stop and placement.char_start < placement.char_stop:  # it has faded entirely
            read = transcribe(np.array([ord(GAP_MARK)], dtype=np.uint32))
        annotated.append(AnnotatedMessage.of(messages[placement.message_id], placement, read, _edges(page, placement)))
    return AnnotatedPage(page.layout, cells, annotated)


def _edges(page: Page, placement: MessageCells) -> tuple[Edge, Edge]:
    return edges_of(page.cells.reshape(-1)[placement.header_start : placement.start])


def match_rows(cells: Cells, drawn: Cells) -> Cells:
    """Returns `cells` with the rows of `drawn`: cropped, or padded with blank rows."""
    if len(cells) >= len(drawn):
        return cells[: len(drawn)]
    return np.concatenate([cells, np.full((len(drawn) - len(cells), drawn.shape[1]), BLANK, cells.dtype)])
