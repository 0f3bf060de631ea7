"""Drawing cells from an outline font, for models trained on printed pages rather than bitmap glyphs.

The font is DejaVu Sans Mono. Characters that it lacks fall back to Unifont, scaled to the cell.
"""

from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from .atlas import load_atlas
from .errors import RenderError
from .layout import GLYPH_HEIGHT_PX, GLYPH_WIDTH_PX
from .page import BLANK, WIDE_TAIL, Cells

FONT_PATH = Path(__file__).parent / "data" / "DejaVuSansMono.ttf"
MISSING_CHARACTER = "\uffff"  # drawn with the font's placeholder for every character it lacks
_METRICS_PX = 1000.0  # size at which the font's proportions are measured

Pixels = npt.NDArray[np.uint8]


class OutlineGlyphs:
    """Outline glyphs for one cell size, drawn on first use. Thread-safe.

    A glyph is uint8[height, width] or, for a full-width character, uint8[height, 2 · width]; 255 is paper, 0 ink.
    """

    def __init__(self, font_path: Path, cell_width_px: int, cell_height_px: int) -> None:
        """Raises `RenderError` if the font cannot be read."""
        self.cell_width_px = cell_width_px
        self.cell_height_px = cell_height_px
        try:
            measured = ImageFont.truetype(str(font_path), _METRICS_PX, layout_engine=ImageFont.Layout.BASIC)
            ascent, descent = measured.getmetrics()
            across = cell_width_px / measured.getlength("0")
            down = cell_height_px / (ascent + descent)
            size_px = _METRICS_PX * min(across, down)
            self._font = ImageFont.truetype(str(font_path), size_px, layout_engine=ImageFont.Layout.BASIC)
        except OSError as error:
            raise RenderError(f"the font {font_path.name} cannot be read ({error}); reinstall foxing") from error
        line_px = (ascent + descent) * size_px / _METRICS_PX
        self._baseline_px = round((cell_height_px - line_px) / 2 + ascent * size_px / _METRICS_PX)
        self._missing = bytes(self._font.getmask(MISSING_CHARACTER))
        self._glyphs: dict[int, Pixels] = {}
        self._lock = Lock()

    def halves(self, code_points: npt.NDArray[np.uint32]) -> Pixels:
        """Returns uint8[2 · n, height, width]: left and right half of each glyph; the right half of a narrow glyph is
        blank."""
        halves = np.full((len(code_points), 2, self.cell_height_px, self.cell_width_px), 255, dtype=np.uint8)
        for index, point in enumerate(code_points.tolist()):
            glyph = self.glyph(point)
            for half in range(glyph.shape[1] // self.cell_width_px):
                halves[index, half] = glyph[:, half * self.cell_width_px : (half + 1) * self.cell_width_px]
        return halves.reshape(-1, self.cell_height_px, self.cell_width_px)

    def glyph(self, code_point: int) -> Pixels:
        """Returns the glyph of a code point; a blank one for a value without a glyph."""
        with self._lock:
            if code_point not in self._glyphs:
                self._glyphs[code_point] = self._draw(code_point)
            return self._glyphs[code_point]

    def draws(self, character: str) -> bool:
        """Returns True if the font has a glyph of its own for a character."""
        return bytes(self._font.getmask(character)) != self._missing

    def ink_outside_px(self, character: str) -> float:
        """Returns how much ink of a glyph of the font lies outside its cell, which cuts it off, in px of full ink."""
        width_px = self.cell_width_px * max(1, int(load_atlas().width[ord(character)]))
        height_px = self.cell_height_px
        image = Image.new("L", (3 * width_px, 3 * height_px), 0)
        anchor = (1.5 * width_px, height_px + self._baseline_px)
        ImageDraw.Draw(image).text(anchor, character, fill=255, font=self._font, anchor="ms")
        ink = np.asarray(image, dtype=np.int64)
        inside = ink[height_px : 2 * height_px, width_px : 2 * width_px]
        return float(ink.sum() - inside.sum()) / 255

    def _draw(self, code_point: int) -> Pixels:
        cells = int(load_atlas().width[code_point]) if code_point not in (BLANK, WIDE_TAIL) else 0
        width_px = self.cell_width_px * max(1, cells)
        if not cells:
            return np.full((self.cell_height_px, width_px), 255, dtype=np.uint8)
        character = chr(code_point)
        if self.draws(character):
            image = Image.new("L", (width_px, self.cell_height_px), 255)
            ImageDraw.Draw(image).text(
                (width_px / 2, self._baseline_px), character, fill=0, font=self._font, anchor="ms"
            )
            pixels = np.asarray(image)
            if character == " " or (pixels < 128).any():
                return pixels
        return self._from_unifont(code_point, cells, (width_px, self.cell_height_px))

    @staticmethod
    def _from_unifont(code_point: int, cells: int, size_px: tuple[int, int]) -> Pixels:
        atlas = load_atlas()
        first = int(atlas.first_half[code_point])
        bits = np.unpackbits(atlas.halves[first : first + cells].T, axis=1).reshape(GLYPH_HEIGHT_PX, -1)
        glyph = Image.fromarray(np.where(bits, np.uint8(0), np.uint8(255)))
        integral = not (size_px[0] % (cells * GLYPH_WIDTH_PX) or size_px[1] % GLYPH_HEIGHT_PX)
        return np.asarray(glyph.resize(size_px, Image.Resampling.NEAREST if integral else Image.Resampling.LANCZOS))


@lru_cache(maxsize=8)
def outline_glyphs(cell_width_px: int, cell_height_px: int) -> OutlineGlyphs:
    """Returns the glyphs of DejaVu Sans Mono for a cell size in px, shared within the process."""
    return OutlineGlyphs(FONT_PATH, cell_width_px, cell_height_px)


def draw_outlines(cells: Cells, cell_width_px: int, cell_height_px: int) -> Pixels:
    """Draws a grid: uint8[rows · height, columns · width], 255 is paper, 0 ink. A tail that does not follow a
    full-width character stays blank."""
    points, where = np.unique(cells, return_inverse=True)
    halves = outline_glyphs(cell_width_px, cell_height_px).halves(points)
    chosen = 2 * where.reshape(cells.shape)
    tail = (cells[:, 1:] == WIDE_TAIL) & (load_atlas().width[cells[:, :-1]] == 2)
    chosen[:, 1:] = np.where(tail, chosen[:, :-1] + 1, chosen[:, 1:])
    rows, columns = cells.shape
    return halves[chosen].transpose(0, 2, 1, 3).reshape(rows * cell_height_px, columns * cell_width_px)
