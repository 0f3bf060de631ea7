"""Drawing pages: cells to pixels by gathering glyph halves from the atlas, and down to a tier's resolution."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from .atlas import CELL_HEIGHT_PX, CELL_WIDTH_PX, load_atlas
from .errors import RenderError
from .layout import DENSE_PAGE, TOKEN_SIDE_PX, PageLayout
from .outline import draw_outlines
from .page import BLANK, WIDE_TAIL, Cells

#: The filter that takes a page to a tier's side: antialiased, and it keeps more of thin strokes than a box does.
RESAMPLING = Image.Resampling.LANCZOS


def rasterize(cells: Cells, layout: PageLayout = DENSE_PAGE) -> npt.NDArray[np.uint8]:
    """Pixels of a grid in the font and the cells of `layout`: uint8[rows · cell height, columns · cell width],
    255 paper, 0 ink.

    A cell without a glyph is left blank, and so is the tail of a full-width character that does not follow one, as a
    bad reading may hold.
    """
    if layout.font != "unifont":
        return draw_outlines(cells, layout.cell_width_px, layout.cell_height_px)
    scale = layout.cell_width_px // CELL_WIDTH_PX
    pixels = _gather(cells)
    return pixels if scale == 1 else pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def _gather(cells: Cells) -> npt.NDArray[np.uint8]:
    """Unifont's own pixels: uint8[rows · 16, columns · 8]."""
    atlas = load_atlas()
    halves = np.maximum(atlas.first_half[cells], 0)
    tail = (cells[:, 1:] == WIDE_TAIL) & (atlas.width[cells[:, :-1]] == 2)
    halves[:, 1:] = np.where(tail, halves[:, :-1] + 1, halves[:, 1:])
    bits = atlas.halves[halves]  # [rows, columns, 16]
    rows, columns = cells.shape
    lines = np.ascontiguousarray(bits.transpose(0, 2, 1)).reshape(rows * CELL_HEIGHT_PX, columns)
    return np.where(np.unpackbits(lines, axis=1), np.uint8(0), np.uint8(255))


def render(cells: Cells, layout: PageLayout, tier: str) -> Image.Image:
    """The page as `tier` shows it: an image of mode "L", 255 paper, 0 ink.

    Where the layout crops, a page that is not full shows the rows it uses, rounded up to whole token rows; a whole page
    is square, `layout.side_px(tier)` a side. Same cells, same bytes. Raises `RenderError` for cells that are no
    page of the layout.
    """
    if cells.ndim != 2 or cells.shape[1] != layout.columns or not 1 <= cells.shape[0] <= layout.rows:
        raise RenderError(f"cells of shape {cells.shape} are no page of {layout.columns} columns by {layout.rows} rows")
    rows = layout.cropped_rows(cells.shape[0], tier)
    if cells.shape[0] < rows:
        cells = np.concatenate([cells, np.full((rows - cells.shape[0], layout.columns), BLANK, dtype=np.uint32)])
    side = layout.side_px(tier)
    height = layout.bands(rows, tier) * TOKEN_SIDE_PX if layout.cropped else side
    page = Image.fromarray(rasterize(cells, layout))
    return page if page.size == (side, height) else page.resize((side, height), RESAMPLING)
