"""Glyphs of a layout's type: their pixels, and which characters a type lacks or cuts off."""

import numpy as np
import numpy.typing as npt

from .atlas import load_atlas
from .bitmap_fonts import bitmap_glyphs
from .layout import BITMAP_CELLS_PX, GLYPH_HEIGHT_PX, GLYPH_WIDTH_PX, PageLayout
from .outline import outline_glyphs
from .page import BLANK, PADDING, WIDE_TAIL, Cells

Pixels = npt.NDArray[np.uint8]

#: Ink that a glyph may have outside its cell, in px of full ink; more counts as cut off.
CLIPPED_FROM_PX = 1.0


def glyph_halves(points: Cells, layout: PageLayout) -> Pixels:
    """Returns uint8[n, 2, height, width], 255 is paper, 0 ink: left and right half of the glyph of each code point, as
    the type of `layout` defines it. The right half of a narrow glyph is blank, and so are both halves of `BLANK`,
    `WIDE_TAIL`, `PADDING` and values without a glyph. `points`: uint32[n]."""
    width = layout.cell_width_px
    height = layout.cell_height_px
    if layout.font in BITMAP_CELLS_PX:
        return bitmap_glyphs(layout.font).halves(points)
    if layout.font != "unifont":
        return outline_glyphs(width, height).halves(points).reshape(len(points), 2, height, width)
    atlas = load_atlas()
    halves = np.zeros((len(points), 2, GLYPH_HEIGHT_PX), dtype=np.uint8)
    for half in range(2):
        wide = atlas.width[points] > half
        halves[wide, half] = atlas.halves[atlas.first_half[points[wide]] + half]
    scale = width // GLYPH_WIDTH_PX
    drawn = np.where(np.unpackbits(halves[..., None], axis=3), np.uint8(0), np.uint8(255))
    return drawn if scale == 1 else drawn.repeat(scale, axis=2).repeat(scale, axis=3)


def drawn_cells(cells: Cells) -> tuple[Cells, npt.NDArray[np.intp]]:
    """Returns the distinct values of a grid, uint32[n], and intp[rows, columns]: for each cell the index of its half in
    the result of `glyph_halves`, reshaped to [2 · n, height, width]."""
    points, where = np.unique(cells, return_inverse=True)
    chosen = 2 * where.reshape(cells.shape)
    tail = (cells[:, 1:] == WIDE_TAIL) & (load_atlas().width[cells[:, :-1]] == 2)
    chosen[:, 1:] = np.where(tail, chosen[:, :-1] + 1, chosen[:, 1:])
    return points, chosen


def has_glyph(character: str, layout: PageLayout) -> bool:
    """Returns True if the type of `layout` has a glyph of its own for a character, and does not borrow one of Unifont
    or leave the cell blank."""
    if layout.font in BITMAP_CELLS_PX:
        return bitmap_glyphs(layout.font).draws(character)
    if layout.font != "unifont":
        return outline_glyphs(layout.cell_width_px, layout.cell_height_px).draws(character)
    return bool(load_atlas().width[ord(character)])


def is_clipped(character: str, layout: PageLayout) -> bool:
    """Returns True if the cell cuts off a part of the glyph of a character. Bitmap fonts have the size of their
    cells."""
    if layout.font in BITMAP_CELLS_PX or layout.font == "unifont":
        return False
    glyphs = outline_glyphs(layout.cell_width_px, layout.cell_height_px)
    return glyphs.draws(character) and glyphs.ink_outside_px(character) >= CLIPPED_FROM_PX


def shown_characters(points: Cells) -> list[str]:
    """Returns the characters among the values of cells, without blanks."""
    return [chr(point) for point in points.tolist() if point not in (BLANK, WIDE_TAIL, PADDING, 0x20)]
