"""A typeset page: a grid of cells, and which cells belong to which message."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .layout import PageLayout

Cells = npt.NDArray[np.uint32]

#: Values of a cell that are no character. Every other value is a code point; control characters never
#: stand in a cell, they are typeset as escapes.
BLANK = 0
WIDE_TAIL = 1  # the right half of a full-width character

NEWLINE_MARK = "¶"
TAB_MARK = "⇥"
FILLER_MARK = "▒"  # keeps a full-width character on an even column
ESCAPE_OPEN = "⟦"
ESCAPE_CLOSE = "⟧"
MESSAGE_MARK = "▶"
THREAD_MARK = "◆"

#: Characters that mean something on a page; a literal one is typeset as an escape.
RESERVED = NEWLINE_MARK + TAB_MARK + FILLER_MARK + ESCAPE_OPEN + ESCAPE_CLOSE


@dataclass(frozen=True)
class Span:
    """The cells of one message, or of the part of it that stands on this page.

    Cells are counted along the rows from the top left; ranges are half open. `header_start` is where its header begins
    and `start`…`stop` holds its content: characters `char_start`…`char_stop` of the message.
    """

    message_id: str
    thread: str
    header_start: int
    start: int
    stop: int
    char_start: int
    char_stop: int


@dataclass(frozen=True)
class Page:
    """A sealed run of messages on a grid. `cells`: uint32[rows used, columns], values as in `BLANK` above."""

    layout: PageLayout
    cells: Cells
    spans: tuple[Span, ...]

    @property
    def rows_used(self) -> int:
        return int(self.cells.shape[0])

    @property
    def text(self) -> str:
        """Everything on the page in reading order, headers and marks included, without blanks at its end."""
        return grid_text(self.cells)


def grid_text(cells: Cells) -> str:
    """The characters of a grid in reading order; blank cells read as spaces, trailing ones are dropped."""
    flat = cells.reshape(-1)
    flat = np.where(flat == BLANK, np.uint32(0x20), flat)
    return str(flat[flat != WIDE_TAIL].astype("<u4").tobytes().decode("utf-32-le")).rstrip(" ")
