"""Pages that are to be drawn at a tier, and what is known of the messages on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from foxing.renderer import (
    BLANK,
    GAP_MARK,
    Cells,
    Edge,
    Entry,
    Page,
    PageLayout,
    Transcription,
    edges_of,
    transcribe,
    transcribe_placements,
)
from foxing.renderer.fading import MessageWords, Salience
from foxing.renderer.marks import MARK_HEADER_CELLS

from .contract import Reading

#: A character that was read with less confidence is more likely wrong than right. Others that are flagged are right
#: more often than not.
MISREAD_BELOW = 0.5

Flags = npt.NDArray[np.bool_]
#: Salience of the words of the messages of a page, float64[words] each → the same, changed; see `fade`.
Refinement = Callable[[Sequence[MessageWords], Sequence[Salience]], list[Salience]]


class MessageCells(Protocol):
    """Where a message stands on a page: the first cell of its header, and the cells of its content, half open."""

    @property
    def header_start(self) -> int: ...

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...


@dataclass(frozen=True)
class AnnotatedMessage:
    """A message, or the part of it that a page holds, as far as it is known."""

    entry: Entry
    #: The cells of the page that hold it, half open.
    start: int
    stop: int
    #: int64[characters], ascending: the cell in which each character begins, counted from `start`.
    cell: npt.NDArray[np.int64]
    #: bool[characters]: those that may be misread. Words with one fade first.
    likely_misread: Flags

    @classmethod
    def of(cls, entry: Entry, placement: MessageCells, read: Transcription, edges: tuple[Edge, Edge]) -> Self:
        """The part of the message `entry` in `placement`, of which `read` is known; its cells count from the start of
        the placement. `edges`: how the part begins and ends."""
        gaps = frozenset(read.gaps.tolist())
        header = placement.start - placement.header_start > MARK_HEADER_CELLS
        begin, end = edges
        entry = replace(entry, content=read.text, skip_chars=0, gaps=gaps, header=header, begin=begin, end=end)
        likely_misread = read.confidence < MISREAD_BELOW
        likely_misread[read.gaps] = False
        return cls(entry, placement.start, placement.stop, read.cell, likely_misread)


@dataclass(frozen=True)
class AnnotatedPage:
    """A page, and what is known of the messages on it."""

    layout: PageLayout
    #: uint32[rows, columns].
    cells: Cells
    #: In their order on the page.
    messages: Sequence[AnnotatedMessage]
    #: Change the salience of its words, one after the other.
    refinements: Sequence[Refinement] = ()


def annotate_page(page: Page, messages: Mapping[str, Entry]) -> AnnotatedPage:
    """A page as it was typeset, of which everything is known. `messages`: those on it, by id."""
    pairs = zip(page.placements, transcribe_placements(page), strict=True)
    annotated = [
        AnnotatedMessage.of(messages[placement.message_id], placement, read, _edges(page, placement))
        for placement, read in pairs
    ]
    return AnnotatedPage(page.layout, page.cells, annotated)


def annotate_reading(page: Page, reading: Reading, messages: Mapping[str, Entry]) -> AnnotatedPage:
    """A page of which no more is known than what was read of it. `page`: as it was drawn, with the placements of all
    its messages; `messages`: those on it by id; the reading has their text."""
    cells, confidence = match_rows(reading.cells, page.cells), np.ones(page.cells.shape, dtype=np.float32)
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
    """`cells` with the shape of `drawn`, blank where they have none."""
    if len(cells) >= len(drawn):
        return cells[: len(drawn)]
    return np.concatenate([cells, np.full((len(drawn) - len(cells), drawn.shape[1]), BLANK, cells.dtype)])
