"""A codec that reads gaps where a test wants them."""

from dataclasses import replace

import numpy as np

from foxing.encoder import Reading, VisionTokens
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.typeset import code_points

from .hooked_codec import HookedCodec


class FadedCodec(HookedCodec):
    """Reads gaps, of which it is nowhere sure, in place of `faded`."""

    def __init__(self, *faded: str) -> None:
        super().__init__(alter=self._fade)
        self.faded = faded

    def _fade(self, tokens: VisionTokens, reading: Reading) -> Reading:
        cells, confidence = reading.cells.copy(), reading.confidence.copy()
        flat, row = cells.reshape(-1), cells.tobytes()
        for text in self.faded:
            place = row.find(cells_of(text))
            assert place >= 0
            here = slice(place // 4, place // 4 + len(cells_of(text)) // 4)
            flat[here], confidence.reshape(-1)[here] = ord(GAP_MARK), 0
        return replace(reading, cells=cells, confidence=confidence)


def cells_of(text: str) -> bytes:
    wide = [[point, 1] if point > 0x2E80 else [point] for point in code_points(text).tolist()]
    return np.array([cell for cells in wide for cell in cells], dtype=np.uint32).tobytes()
