"""Typeset page: a grid of cells, and the placement of each message on it."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .breaks import Edge
from .layout import PageLayout
from .marks import CONTINUATION_MARK, FILLER_MARK, GAP_MARK, MESSAGE_MARK

#: Grid or run of cells, uint32: code points, `BLANK`, `WIDE_TAIL` and `PADDING`. These values do not clash with control
#: characters, which are typeset as escapes.
Cells = npt.NDArray[np.uint32]

#: Cell without a character.
BLANK = 0
#: Right half of a full-width character.
WIDE_TAIL = 1
#: Fills the end of a row when the next word does not fit; stands for no character.
PADDING = 2


@dataclass(frozen=True)
class Placement:
    """Cells of a message, or of the part of it on this page.

    Cells are numbered in reading order from the top left. Ranges are half-open.
    """

    message_id: str
    thread: str
    #: First cell of the header.
    header_start: int
    #: First cell of the content.
    start: int
    #: Cell after the content.
    stop: int
    #: Offset in the message's content of the first character on this page.
    char_start: int
    #: Offset after the last character on this page.
    char_stop: int


@dataclass(frozen=True)
class Page:
    """Messages typeset on a grid."""

    layout: PageLayout
    #: uint32[rows used, columns], read-only: code points, `BLANK`, `WIDE_TAIL` and `PADDING`.
    cells: Cells
    #: One placement per message, in reading order.
    placements: tuple[Placement, ...]

    @property
    def rows_used(self) -> int:
        """Number of rows up to the last one in use, at least 1."""
        return int(self.cells.shape[0])

    @property
    def text(self) -> str:
        """Text of the page in reading order, headers and marks included, without trailing blanks."""
        return grid_text(self.cells)


def edges_of(
    header: Cells, *, begins_before: bool | None = None, continues_after: bool | None = None
) -> tuple[Edge, Edge]:
    """Returns the edges of the message part below `header`, read from the marks in the header.

    `begins_before`, `continues_after`: whether the message is known to begin on an earlier page, or to continue on a
    later one; None if unknown. A part that is known to be cut and has no mark, as on older pages, may be cut inside a
    word.
    """
    text = "".join(map(chr, header.tolist()))
    begun = re.search(f"{MESSAGE_MARK}+", text)
    ended = len(text) - len(text.rstrip(CONTINUATION_MARK))
    return _edge(len(begun[0]) - 1 if begun else 0, begins_before), _edge(ended, continues_after)


def _edge(marks: int, cut: bool | None) -> Edge:
    if cut is False or (cut is None and not marks):
        return Edge.WHOLE
    return Edge.BETWEEN if marks == Edge.BETWEEN else Edge.INSIDE


def gap_starts(cells: Cells) -> npt.NDArray[np.bool_]:
    """Returns bool[n], in reading order: cells that begin a gap, a `GAP_MARK` not preceded by another one."""
    marked = cells.reshape(-1) == ord(GAP_MARK)
    begun: npt.NDArray[np.bool_] = marked.copy()
    begun[1:] &= ~marked[:-1]
    return begun


def visible_cells(cells: Cells) -> npt.NDArray[np.int64]:
    """Returns int64[n], ascending: numbers of the cells that show a character, in reading order. Fillers and right
    halves of full-width characters are left out, and a gap counts once, at its first cell."""
    flat = cells.reshape(-1)
    return np.flatnonzero(_characters(flat) & (flat != ord(FILLER_MARK)))


def visible_text(cells: Cells) -> str:
    """Returns the text of a grid for display: as `grid_text`, without fillers."""
    return _text(cells.reshape(-1)[visible_cells(cells)])


def grid_text(cells: Cells) -> str:
    """Returns the text of a grid in reading order. A gap is one mark, however many cells it takes. Blank cells become
    spaces; trailing spaces are dropped."""
    flat = cells.reshape(-1)
    return _text(flat[_characters(flat)])


def _characters(flat: Cells) -> npt.NDArray[np.bool_]:
    """Returns bool[n]: cells that begin a character or a gap."""
    flags: npt.NDArray[np.bool_] = (
        (flat != WIDE_TAIL) & (flat != PADDING) & ((flat != ord(GAP_MARK)) | gap_starts(flat))
    )
    return flags


def _text(flat: Cells) -> str:
    flat = np.where(flat == BLANK, np.uint32(0x20), flat)
    return str(flat.astype("<u4").tobytes().decode("utf-32-le")).rstrip(" ")
