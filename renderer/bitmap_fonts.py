"""Bitmap fonts for readers: 1-bit glyphs of one size, so that pages have the same bytes on every machine.

Characters that a font lacks fall back to Unifont, scaled to the cell; `BitmapGlyphs.draws` says which those are.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

from .atlas import load_atlas
from .errors import RenderError
from .layout import BITMAP_CELLS_PX, GLYPH_HEIGHT_PX
from .page import WIDE_TAIL, Cells

DATA = Path(__file__).parent / "data"
#: Share of ink from which a pixel of a scaled Unifont glyph is ink.
_INK_FROM = 0.35

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class BitmapFont:
    """A font with glyphs of one size."""

    name: str
    width_px: int
    height_px: int

    @property
    def path(self) -> Path:
        """File of its glyphs."""
        return DATA / f"{self.name}.npz"


#: Bitmap fonts by name.
BITMAP_FONTS: Mapping[str, BitmapFont] = MappingProxyType(
    {name: BitmapFont(name, *size) for name, size in BITMAP_CELLS_PX.items()}
)


class BitmapGlyphs:
    """Glyphs of a bitmap font. Safe to share between threads."""

    def __init__(self, font: BitmapFont) -> None:
        """Raises `RenderError` if the file of the font is missing or damaged."""
        self.font = font
        try:
            with font.path.open("rb") as file, np.load(file) as arrays:
                self._points = arrays["code_points"]
                rows = arrays["rows"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise RenderError(f"the font {font.path.name} cannot be read ({error}); reinstall foxing") from error
        bits = np.unpackbits(rows.astype(">u2").view(np.uint8).reshape(*rows.shape, 2), axis=2)
        self._pixels = np.where(bits[:, :, : font.width_px], np.uint8(0), np.uint8(255))
        self._known = frozenset(map(chr, self._points.tolist()))

    def draws(self, character: str) -> bool:
        """Returns True if the font has a glyph of its own for a character."""
        return character in self._known

    def halves(self, points: npt.NDArray[np.uint32]) -> Pixels:
        """Returns uint8[n, 2, height, width], 255 is paper, 0 ink: left and right half of each glyph. The right half of
        a narrow glyph is blank, and so are both of a value without a glyph."""
        halves = np.full((len(points), 2, self.font.height_px, self.font.width_px), 255, dtype=np.uint8)
        places = np.minimum(np.searchsorted(self._points, points), len(self._points) - 1)
        has_glyph = self._points[places] == points
        halves[has_glyph, 0] = self._pixels[places[has_glyph]]
        atlas = load_atlas()
        for index in np.flatnonzero(~has_glyph & (atlas.width[np.minimum(points, len(atlas.width) - 1)] > 0)).tolist():
            glyph = _scaled(int(points[index]), self.font)
            for half in range(glyph.shape[1] // self.font.width_px):
                halves[index, half] = glyph[:, half * self.font.width_px : (half + 1) * self.font.width_px]
        return halves


@lru_cache(maxsize=1 << 12)
def _scaled(point: int, font: BitmapFont) -> Pixels:
    """Returns the glyph of Unifont scaled to the cell, 1-bit."""
    atlas = load_atlas()
    cells = int(atlas.width[point])
    first = int(atlas.first_half[point])
    bits = np.unpackbits(atlas.halves[first : first + cells].T, axis=1).reshape(GLYPH_HEIGHT_PX, -1)
    size = cells * font.width_px, font.height_px
    grey = np.asarray(Image.fromarray(bits * np.uint8(255)).resize(size, Image.Resampling.BOX))
    return np.where(grey >= _INK_FROM * 255, np.uint8(0), np.uint8(255))


@lru_cache(maxsize=len(BITMAP_CELLS_PX))
def bitmap_glyphs(name: str) -> BitmapGlyphs:
    """Returns the glyphs of the font `name`, loaded once per process. Raises `RenderError`, see `BitmapGlyphs`."""
    return BitmapGlyphs(BITMAP_FONTS[name])


def draw_bitmaps(cells: Cells, name: str) -> Pixels:
    """Draws a grid in the font `name`: uint8[rows · height, columns · width], 255 is paper, 0 ink. A tail that does not
    follow a full-width character stays blank."""
    glyphs = bitmap_glyphs(name)
    points, where = np.unique(cells, return_inverse=True)
    halves = glyphs.halves(points).reshape(-1, glyphs.font.height_px, glyphs.font.width_px)
    chosen = 2 * where.reshape(cells.shape)
    tail = (cells[:, 1:] == WIDE_TAIL) & (load_atlas().width[cells[:, :-1]] == 2)
    chosen[:, 1:] = np.where(tail, chosen[:, :-1] + 1, chosen[:, 1:])
    rows, columns = cells.shape
    drawn = halves[chosen].transpose(0, 2, 1, 3)
    return drawn.reshape(rows * glyphs.font.height_px, columns * glyphs.font.width_px)
