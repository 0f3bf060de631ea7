"""Cost of words in bits, summed over the cells that they occupy."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from foxing.renderer.page import Cells
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import Entry, Typesetter

from .words import Word

#: Cost of each cell in bits: float32 of the shape of the cells.
CellCosts = npt.NDArray[np.float32]
#: Default cost of a cell in bits, for codecs without costs.
BITS_PER_CELL = 2.4


def word_bits(words: Sequence[Word], cells: npt.NDArray[np.int64], costs: CellCosts) -> npt.NDArray[np.float64]:
    """Returns float64[words]: cost of each word of a text in bits, including the characters between it and the word
    before.

    `cells`: int64[characters], ascending: the cell in which each character of the text begins; `costs`: float32[n], the
    costs of the cells of the text.
    """
    if not words:
        return np.zeros(0)
    before = np.concatenate([[0.0], np.cumsum(costs, dtype=np.float64)])
    begins = np.append(cells, len(costs))
    ends = before[begins[[word.stop for word in words]]]
    return np.diff(ends, prepend=0.0)


def isolated_bits(words: Iterable[str], typesetter: Typesetter, cost: Callable[[Cells], CellCosts]) -> dict[str, float]:
    """Returns word → cost in bits without context, measured on one page that lists the words. Words that do not fit
    on the page are left out.

    `cost`: cells of a page → cost of each cell in bits.
    """
    listed = list(dict.fromkeys(filter(None, words)))
    stops = np.cumsum([len(word) + 1 for word in listed])
    at = datetime(1970, 1, 1, tzinfo=UTC)
    page = typesetter.page([Entry("", "", " ".join(listed), at, header=False)])
    placement = page.placements[0]
    count = int(np.searchsorted(stops, placement.char_stop, side="right"))
    places = [Word(int(stop) - 1 - len(word), int(stop) - 1) for word, stop in zip(listed, stops[:count], strict=False)]
    read = transcribe(
        page.cells.reshape(-1)[placement.start : placement.stop], layout=page.layout, start=placement.start
    )
    bits = word_bits(places, read.cell, cost(page.cells).reshape(-1)[placement.start : placement.stop])
    return dict(zip(listed, bits.tolist(), strict=False))
