"""Measures of how much of a page its new tokens preserve."""

import numpy as np
import numpy.typing as npt

from foxing.encoder import Reading
from foxing.encoder.contract import UNREADABLE
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

MAX_CHARACTER_LOSS = 0.03  # share of a page's characters that rewriting it may change
MAX_MISREAD = 0.05  # share of a page's characters that its tokens may misread, if nothing sharper is left


def character_loss(grid: Cells, reading: Reading) -> float:
    """Returns the share of the readable characters of `grid`, uint32[rows, columns], that differ in `reading`; 0 to 1.
    Gaps are not characters; a character that reads as a gap is lost."""
    rows = min(len(grid), len(reading.cells))
    readable = _inked(grid) & (grid != UNREADABLE)
    same = readable[:rows] & (grid[:rows] == reading.cells[:rows])
    return 1 - float(same.sum()) / float(readable.sum()) if readable.any() else 0.0


def misread_share(grid: Cells, misread: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_] | None = None) -> float:
    """Returns the share of the characters of `grid`, uint32[rows, columns], that begin in a `misread` cell; 0 to 1.

    `before`: cells that were misread before the page was drawn; one of them that shows nothing readable counts as a
    lost character. Both masks are bool[rows, columns], with at least the rows of `grid`.
    """
    readable = _inked(grid) & (grid != UNREADABLE)
    lost = np.zeros_like(readable) if before is None else before[: len(grid)] & ~readable & (grid != WIDE_TAIL)
    total = int(readable.sum() + lost.sum())
    return int((readable & misread[: len(grid)]).sum() + lost.sum()) / total if total else 0.0


def unreadable_share(grid: Cells) -> float:
    """Returns the share of the characters of `grid`, uint32[rows, columns], that are marked as unreadable; 0 to 1."""
    inked = _inked(grid)
    return float((grid[inked] == UNREADABLE).mean()) if inked.any() else 0.0


def missing_share(grid: Cells, reading: Reading) -> float:
    """Returns the share of the characters of `grid`, uint32[rows, columns], that are missing from `reading`; 0 to 1. A
    character is missing if its cell is unreadable, or blank with a confidence below the threshold. Faded text is a
    known loss and does not count."""
    rows = min(len(grid), len(reading.cells))
    inked = _inked(grid)
    read = reading.cells[:rows]
    blank = (read == BLANK) | (read == 0x20)
    doubtful_blank = blank & (reading.confidence[:rows] < reading.flag_below)
    missing = np.ones_like(inked)
    missing[:rows] = (read == UNREADABLE) | doubtful_blank
    return float(missing[inked].mean()) if inked.any() else 0.0


def _inked(grid: Cells) -> npt.NDArray[np.bool_]:
    """Returns bool[rows, columns]: the cells that begin a character. Blanks and gaps do not."""
    inked: npt.NDArray[np.bool_] = (grid != BLANK) & (grid != 0x20) & (grid != WIDE_TAIL) & (grid != ord(GAP_MARK))
    return inked
