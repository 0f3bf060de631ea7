"""Glyph atlas: the glyphs of GNU Unifont in one array."""

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import RenderError
from .layout import GLYPH_HEIGHT_PX

ATLAS_PATH = Path(__file__).parent / "data" / "unifont.npz"

_TABLE_SIZE = 0x110000 + 1


@dataclass(frozen=True)
class Atlas:
    """Glyph atlas in halves of 8×16 px: a narrow glyph has one half, a full-width glyph two adjacent. Read-only."""

    #: uint8[n, 16]: one byte per pixel row, the leftmost pixel in the high bit, 1 is ink. Half 0 is blank.
    halves: npt.NDArray[np.uint8]
    #: int32[0x110001]: code point → index of its (left) half, -1 if it has no glyph.
    first_half: npt.NDArray[np.int32]
    #: uint8[0x110001]: code point → 1 narrow, 2 full-width, 0 no glyph.
    width: npt.NDArray[np.uint8]

    @cached_property
    def glyph(self) -> npt.NDArray[np.int32]:
        """int32[0x110001]: code point → number of its glyph, equal for characters that look the same; -1 for characters
        without a glyph."""
        table = np.full(_TABLE_SIZE, -1, dtype=np.int32)
        numbers: dict[bytes, int] = {}
        for width in (1, 2):
            points = np.flatnonzero(self.width == width)
            halves = [self.halves[self.first_half[points] + half] for half in range(width)]
            drawings = map(bytes, np.concatenate(halves, axis=1))
            table[points] = [numbers.setdefault(drawing, len(numbers)) for drawing in drawings]
        table.setflags(write=False)
        return table

    def drawing(self, character: str) -> bytes:
        """Returns the glyph's pixels as bytes, equal for characters that look the same; empty if there is no glyph."""
        first = self.first_half[ord(character)]
        width = self.width[ord(character)]
        return self.halves[first : first + width].tobytes()


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Returns the packaged atlas, loaded once per process. Raises `RenderError` if the file is missing or damaged."""
    try:
        with ATLAS_PATH.open("rb") as file, np.load(file) as arrays:
            code_points = arrays["code_points"]
            wide = arrays["wide"]
            rows = arrays["rows"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RenderError(f"the glyph atlas {ATLAS_PATH.name} cannot be read ({error}); reinstall foxing") from error
    width = np.zeros(_TABLE_SIZE, dtype=np.uint8)
    width[code_points] = 1 + wide
    starts = 1 + np.cumsum(1 + wide) - (1 + wide)
    first_half = np.full(_TABLE_SIZE, -1, dtype=np.int32)
    first_half[code_points] = starts
    halves = np.zeros((1 + int(np.sum(1 + wide)), GLYPH_HEIGHT_PX), dtype=np.uint8)
    halves[starts] = rows[:, :, 0]
    halves[starts[wide] + 1] = rows[wide, :, 1]
    for array in (width, first_half, halves):
        array.setflags(write=False)
    return Atlas(halves=halves, first_half=first_half, width=width)
