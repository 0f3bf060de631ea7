"""Pages beside what was read of them, cell by cell: what is kept, what of it is right, and what was invented.

A character is a cell with ink: headers and marks count; blanks, the right halves of full-width characters, and gaps do
not. Every cell of a page belongs to one figure: where the drawn page has a character, the reading keeps it, right or
wrong, or has a gap; elsewhere, a character that is read was invented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.renderer import BLANK, GAP_MARK, WIDE_TAIL, Cells, Page

Flags = npt.NDArray[np.bool_]
_Number = TypeVar("_Number", bound=np.generic)


class CellComparison(NamedTuple):
    """The kept characters of some pages beside what was read, flat, in reading order."""

    #: bool[n]: whether the character's cell was read right.
    right: Flags
    #: float32[n] in [0, 1]: the codec's confidence.
    confidence: npt.NDArray[np.float32]


@dataclass(frozen=True)
class PageComparison:
    """Some pages beside what was read of them."""

    kept: CellComparison
    #: Characters on the pages, whether kept or not.
    characters: int
    #: Characters that were read where the drawn page has none.
    invented: int

    @property
    def kept_share(self) -> float:
        """Share of the characters that are kept; 1 for empty pages."""
        return len(self.kept.right) / self.characters if self.characters else 1.0

    @property
    def kept_accuracy(self) -> float:
        """Share of the kept characters that are read right; 1 if none is kept."""
        return float(self.kept.right.mean()) if len(self.kept.right) else 1.0

    @property
    def character_accuracy(self) -> float:
        """Share of the characters that are kept and read right; 1 for empty pages."""
        return float(self.kept.right.sum()) / self.characters if self.characters else 1.0

    @property
    def invented_per_million(self) -> float:
        """Invented characters for each million characters on the pages."""
        return self.invented * 1e6 / max(1, self.characters)


def gap_cells(cells: Cells) -> Flags:
    """Which cells hold a gap."""
    gaps: Flags = cells == ord(GAP_MARK)
    return gaps


def compared(pages: Sequence[Page], readings: Sequence[Reading]) -> CellComparison:
    """The kept characters of `pages`, headers included, beside those of `readings`."""
    return compare_pages([page.cells for page in pages], [page.cells for page in pages], readings).kept


def compare_pages(originals: Sequence[Cells], drawn: Sequence[Cells], readings: Sequence[Reading]) -> PageComparison:
    """Compares `readings` with the `originals`. `drawn`: the cells that the codec saw, which are other than the
    originals where a page was drawn from an earlier reading."""
    right, confidence = [], []
    characters = invented = 0
    for original, seen, reading in zip(originals, drawn, readings, strict=True):
        cells = max(original.size, seen.size, reading.cells.size)
        page, image, read = (_padded(part, cells) for part in (original, seen, reading.cells))
        on_page = _characters(page)
        kept = on_page & ~gap_cells(image) & ~gap_cells(read)
        right.append(read[kept] == page[kept])
        confidence.append(_padded(reading.confidence, cells)[kept])
        characters += int(on_page.sum())
        invented += int((_characters(read) & (read != UNREADABLE) & (_blank(image) | gap_cells(image))).sum())
    return PageComparison(CellComparison(np.concatenate(right), np.concatenate(confidence)), characters, invented)


def _blank(cells: Cells) -> Flags:
    """Which cells have no ink."""
    blank: Flags = (cells == BLANK) | (cells == ord(" "))
    return blank


def _characters(cells: Cells) -> Flags:
    """Which cells hold a character: the first halves of full-width ones, and no gaps."""
    characters: Flags = ~(_blank(cells) | (cells == WIDE_TAIL) | gap_cells(cells))
    return characters


def _padded(cells: npt.NDArray[_Number], size: int) -> npt.NDArray[_Number]:
    """`cells` flat, with zeros (blank cells) at the end up to `size`."""
    flat = cells.reshape(-1)
    return np.concatenate([flat, np.zeros(size - len(flat), dtype=flat.dtype)])
