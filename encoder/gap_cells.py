"""Writing gaps over words of a drawn page, in place, without moving anything else."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.renderer.fading import FadedText, Word
from foxing.renderer.marks import FILLER_MARK, GAP_MARK
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.transcription import Transcription


def write_gaps(run: Cells, read: Transcription, text: FadedText, words: Sequence[Word]) -> None:
    """Writes gaps over `words` in `run`, the cells of a message, in place. `read`: transcription of `run`; `text`: the
    faded text that it shows, whose `origin` maps characters to `words`."""
    if not words:
        return
    gone = np.zeros(len(read.text), dtype=bool)
    gone[read.gaps] = True
    for word in words:
        gone |= (text.origin >= word.start) & (text.origin < word.stop)
    between = np.array([character.isspace() for character in read.text], dtype=bool)
    between[1:-1] &= gone[:-2] & gone[2:]  # a blank between two gaps
    between[[0, -1]] = False
    stops = np.append(read.cell[1:], len(run))
    for place in np.flatnonzero(gone | between).tolist():
        run[read.cell[place] : stops[place]] = ord(GAP_MARK)


def write_other_marks(flat: Cells, marks: npt.NDArray[np.int64]) -> None:
    """Replaces misread gap marks by two adjacent marks, which are one gap as well, or removes them if there is no room,
    in place. `marks`: int64[n], cells of the misread marks."""
    for cell in marks.tolist():
        after = cell + 1
        if after < len(flat) and flat[after] in (ord(FILLER_MARK), BLANK, 0x20) and flat[cell - 1] != ord(GAP_MARK):
            flat[after] = ord(GAP_MARK)
        else:
            flat[cell] = BLANK
