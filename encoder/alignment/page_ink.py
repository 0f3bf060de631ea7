"""Maps of inked cells: computed from the image of a page, and packed into a few bytes."""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from foxing.encoder.errors import TokensError
from foxing.renderer import PageLayout

#: Minimum darkness, 0 to 255, of the darkest pixel of an inked cell.
MIN_INK = 16
#: Minimum darkness of the edge of a cell relative to the edge beside it, for it to be ink of this cell rather than of
#: the neighbour.
EDGE_INK = 32
#: Minimum mean darkness of an inked cell, for cells so small that each pixel mixes two of them.
MEAN_INK = 6
#: Confidence factor of characters whose cell is uncertain: in a word with more or fewer letters than cells, where words
#: and ink disagree, or on a page with more lines than rows.
MISFIT = 0.5
#: Confidence that a cell without ink is blank.
BLANK_CONFIDENCE = 0.99

Confidence = npt.NDArray[np.float32]
Ink = npt.NDArray[np.bool_]
_Darkness = npt.NDArray[np.uint8]


def ink_of(image: Image.Image, rows: int, layout: PageLayout) -> Ink:
    """Returns bool[rows, columns]: the inked cells of a page image (mode "L").

    The map is exact for printed pages at every tier, except for strokes at the very edge of a cell, and for dense pages
    down to `small`; at `tiny` it is right for 99.97 % of their cells, at `micro` for 99.8 %.
    """
    width = layout.cell_width_px
    height = layout.cell_height_px
    scale = layout.columns * width / image.width
    margin = 0 if scale == 1 else int(np.ceil(scale))  # in which scaling mixes adjacent cells
    if 2 * margin >= width:
        small = image.resize((layout.columns, rows), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.uint8) <= 255 - MEAN_INK
    full = image.resize((layout.columns * width, rows * height), Image.Resampling.NEAREST)
    dark = (255 - np.asarray(full, dtype=np.uint8)).reshape(rows, height, layout.columns, width)
    inked: Ink = _own_ink(dark, margin) if margin else dark.max((1, 3)) >= MIN_INK
    return inked


def _own_ink(dark: _Darkness, margin: int) -> Ink:
    """Returns bool[rows, columns]: cells with ink inside, or in a margin that is darker than the adjacent margin of the
    next cell; strokes such as `_` lie at the edge. `dark`: uint8[rows, height, columns, width]."""
    across = slice(margin, dark.shape[3] - margin)
    down = slice(margin, dark.shape[1] - margin)
    before = slice(None, margin)
    after = slice(-margin, None)
    inside = dark[:, down, :, across].max((1, 3)) >= MIN_INK
    upper = _darkest(dark[:, before, :, across])
    lower = _darkest(dark[:, after, :, across])
    left = _darkest(dark[:, down, :, before])
    right = _darkest(dark[:, down, :, after])
    # a pixel on the edge between two rows belongs to the upper row: glyphs stand on the bottom of their cell
    shared = (lower >= MIN_INK) & (lower >= _moved(upper, -1, 0)) & (_moved(inside, -1, 0) == 0)
    edges = (
        (upper, _moved(lower, 1, 0)),
        (lower, _moved(upper, -1, 0)),
        (left, _moved(right, 0, 1)),
        (right, _moved(left, 0, -1)),
    )
    for edge, beyond in edges:
        inside = inside | ((edge >= MIN_INK) & (edge >= beyond + EDGE_INK))
    inked: Ink = inside | shared
    return inked


def _darkest(strip: _Darkness) -> npt.NDArray[np.int16]:
    """Returns int16[rows, columns]: darkness of the darkest pixel in each cell's strip."""
    darkest: npt.NDArray[np.int16] = strip.max((1, 3)).astype(np.int16)
    return darkest


def _moved(values: npt.NDArray[Any], down: int, right: int) -> npt.NDArray[np.int16]:
    """Returns int16[rows, columns]: `values` shifted by one cell, filled with 0."""
    rows, columns = values.shape
    padded = np.pad(values.astype(np.int16), 1)
    return padded[1 - down : 1 - down + rows, 1 - right : 1 - right + columns]


def pack_ink(ink: Ink) -> bytes:
    """Packs a map, bool[rows, columns], as one bit per cell, deflated: about 230 bytes for a page of 80×40 cells."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(np.packbits(ink).tobytes()) + deflate.flush()


def unpack_ink(packed: bytes, layout: PageLayout) -> Ink:
    """Inverts `pack_ink` for a full page of `layout`: bool[rows, columns]. Raises `TokensError` for the map of another
    grid and for invalid bytes."""
    size = -(-layout.cells // 8)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        bits = inflate.decompress(packed, size + 1)
    except zlib.error as error:
        raise TokensError(f"the map of inked cells cannot be read ({error}); restore the page from a backup") from error
    if len(bits) != size or not inflate.eof or inflate.unused_data:
        raise TokensError(
            f"the map of inked cells does not fit a page of {layout.columns}×{layout.rows} cells; run foxing reencode"
        )
    cells = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=layout.cells).astype(bool)
    return cells.reshape(layout.rows, layout.columns)
