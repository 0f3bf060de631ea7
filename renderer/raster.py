"""Drawing pages: cells become pixels by gathering glyph halves, then the page is scaled to a tier."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from .atlas import load_atlas
from .bitmap_fonts import draw_bitmaps
from .errors import RenderError
from .layout import BITMAP_CELLS_PX, DENSE_PAGE, GLYPH_HEIGHT_PX, GLYPH_WIDTH_PX, PageLayout
from .outline import draw_outlines
from .page import BLANK, WIDE_TAIL, Cells
from .tiers import TOKEN_SIDE_PX

#: Scales a page to a tier. Antialiased, and keeps more of thin strokes than a box filter.
RESAMPLING = Image.Resampling.LANCZOS


def rasterize(cells: Cells, layout: PageLayout = DENSE_PAGE) -> npt.NDArray[np.uint8]:
    """Draws a grid in the font and cell size of `layout`, before scaling to a tier.

    Returns uint8[rows · cell height, columns · cell width]; 255 is paper, 0 ink. Cells without a glyph stay blank, as
    do tails that do not follow a full-width character; a misread page may contain both.
    """
    if layout.font in BITMAP_CELLS_PX:
        return draw_bitmaps(cells, layout.font)
    if layout.font != "unifont":
        return draw_outlines(cells, layout.cell_width_px, layout.cell_height_px)
    scale = layout.cell_width_px // GLYPH_WIDTH_PX
    pixels = _draw_unifont(cells)
    return pixels if scale == 1 else pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def _draw_unifont(cells: Cells) -> npt.NDArray[np.uint8]:
    """Draws a grid in Unifont at its native size: uint8[rows · 16, columns · 8]."""
    atlas = load_atlas()
    halves = np.maximum(atlas.first_half[cells], 0)
    tail = (cells[:, 1:] == WIDE_TAIL) & (atlas.width[cells[:, :-1]] == 2)
    halves[:, 1:] = np.where(tail, halves[:, :-1] + 1, halves[:, 1:])
    bits = atlas.halves[halves]  # [rows, columns, 16]
    rows, columns = cells.shape
    lines = np.ascontiguousarray(bits.transpose(0, 2, 1)).reshape(rows * GLYPH_HEIGHT_PX, columns)
    return np.where(np.unpackbits(lines, axis=1), np.uint8(0), np.uint8(255))


def render(cells: Cells, layout: PageLayout, tier: str) -> Image.Image:
    """Draws the page image at `tier`: mode "L", 255 is paper, 0 ink. The same cells always give the same bytes.

    If the layout is cropped, the image shows the rows in use, rounded up to whole token rows; otherwise it is a square
    of side `layout.side_px(tier)`. Raises `RenderError` if the shape of `cells` does not fit the layout, `LayoutError`
    for an unknown tier.
    """
    if cells.ndim != 2 or cells.shape[1] != layout.columns or not 1 <= cells.shape[0] <= layout.rows:
        raise RenderError(
            f"cells of shape {cells.shape} do not fit a page of {layout.columns} columns by {layout.rows} rows"
        )
    rows = layout.cropped_rows(cells.shape[0], tier)
    if cells.shape[0] < rows:
        cells = np.concatenate([cells, np.full((rows - cells.shape[0], layout.columns), BLANK, dtype=np.uint32)])
    side = layout.side_px(tier)
    height = layout.bands(rows, tier) * TOKEN_SIDE_PX if layout.cropped else side
    page = Image.fromarray(rasterize(cells, layout))
    return page if page.size == (side, height) else page.resize((side, height), RESAMPLING)
