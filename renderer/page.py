"""A typeset page: a grid of cells, and which cells belong to which message."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .layout import PageLayout

#: A grid or a run of cells, each a code point, `BLANK` or `WIDE_TAIL`. Control characters never occur: they are typeset
#: as escapes.
Cells = npt.NDArray[np.uint32]

#: A cell without a character.
BLANK = 0
#: The right half of a full-width character.
WIDE_TAIL = 1

NEWLINE_MARK = "¶"
TAB_MARK = "⇥"
FILLER_MARK = "▒"  # moves a full-width character to an even column
ESCAPE_OPEN = "⟦"
ESCAPE_CLOSE = "⟧"
MESSAGE_MARK = "▶"
THREAD_MARK = "◆"

#: Characters with a meaning of their own on a page; literal ones are typeset as escapes.
RESERVED = NEWLINE_MARK + TAB_MARK + FILLER_MARK + ESCAPE_OPEN + ESCAPE_CLOSE


@dataclass(frozen=True)
class Span:
    """The cells of a message, or of the part of it on this page.

    Cells are counted in reading order from the top left. Ranges are half-open.
    """

    message_id: str
    thread: str
    #: First cell of the header.
    header_start: int
    #: First cell of the content.
    start: int
    #: Cell after the content.
    stop: int
    #: First character of the message's content that is on this page.
    char_start: int
    #: Character after the last one on this page.
    char_stop: int


@dataclass(frozen=True)
class Page:
    """Messages typeset on a grid."""

    layout: PageLayout
    #: uint32[rows used, columns], read-only: code points, `BLANK` and `WIDE_TAIL`.
    cells: Cells
    #: One span per message, in reading order.
    spans: tuple[Span, ...]

    @property
    def rows_used(self) -> int:
        """Number of rows up to the last one in use, at least 1."""
        return int(self.cells.shape[0])

    @property
    def text(self) -> str:
        """The page in reading order, headers and marks included, without trailing blanks."""
        return grid_text(self.cells)


def shown_cells(cells: Cells) -> npt.NDArray[np.int64]:
    """int64[n]: the cells that hold a character for people, counted in reading order: neither fillers nor the right
    halves of full-width characters."""
    flat = cells.reshape(-1)
    return np.flatnonzero((flat != WIDE_TAIL) & (flat != ord(FILLER_MARK)))


def shown_text(cells: Cells) -> str:
    """The characters of a grid for people: as `grid_text`, without fillers."""
    return grid_text(cells.reshape(-1)[shown_cells(cells)])


def grid_text(cells: Cells) -> str:
    """The characters of a grid in reading order. Blank cells become spaces; trailing spaces are dropped."""
    flat = cells.reshape(-1)
    flat = np.where(flat == BLANK, np.uint32(0x20), flat)
    return str(flat[flat != WIDE_TAIL].astype("<u4").tobytes().decode("utf-32-le")).rstrip(" ")
