"""Page images for a reader, in the type that it reads and in the shape that holds the most for a token."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image

from foxing.renderer.layout import PageLayout
from foxing.renderer.page import Page
from foxing.renderer.raster import rasterize
from foxing.renderer.typeset import Entry, Typesetter

from .reader import Reader, ReaderProfileError

#: See `PageLayout.newline`.
Newline = Literal["mark", "break"]
#: Longest row. Readers lose their place in longer ones.
MAX_COLUMNS = 160
#: Blank cells around the text of a page image that is not dense. On the right it is the last column, where no ink is.
MARGIN_CELLS = 1
#: Of PNG. The highest level takes eight times as long and saves three bytes in a hundred.
PNG_COMPRESSION_LEVEL = 6
#: Shapes that hold nearly as much for a token as the best one; of them the largest is used.
MIN_DENSITY_SHARE = 0.99


@dataclass(frozen=True)
class PageImage:
    """A page image for a reader."""

    page: Page
    width_px: int
    height_px: int
    #: What the reader bills for it.
    tokens: int

    @cached_property
    def png(self) -> bytes:
        """PNG, drawn on first use. The same page always gives the same bytes."""
        pixels = np.full((self.height_px, self.width_px), 255, dtype=np.uint8)
        drawn = rasterize(self.page.cells, self.page.layout)
        left, above = margin_px(self.page.layout)
        pixels[above : above + drawn.shape[0], left:] = drawn
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=PNG_COMPRESSION_LEVEL)
        return buffer.getvalue()


def reader_layout(reader: Reader, newline: Newline = "mark") -> PageLayout:
    """The layout of a full page image: as many cells as the reader sees for a token without scaling the image down.
    Raises `ReaderProfileError` for a reader that sees no images."""
    if not reader.accepts_images:
        raise ReaderProfileError(f"the reader '{reader.name}' looks at no images; give it text")
    return replace(_best_layout(reader), newline=newline)


@lru_cache(maxsize=64)
def _best_layout(reader: Reader) -> PageLayout:
    limits, billing, cell = reader.limits, reader.billing, reader.legible
    assert limits is not None
    assert billing is not None
    assert cell is not None
    base = PageLayout(
        columns=10,
        rows=1,
        cell_width_px=cell.width_px,
        cell_height_px=cell.height_px,
        font=cell.font,
        wrap="cells" if reader.dense else "words",
    )
    shapes: list[tuple[float, int, int, int]] = []
    most = min(MAX_COLUMNS, limits.max_side_px // cell.width_px)
    for columns in range(8, most + 1, 2) if reader.dense else range(9, most + 1):
        layout = replace(base, columns=columns)
        for rows in range(1, limits.max_side_px // cell.height_px + 1):
            size = image_px(layout, rows)
            if max(size) <= limits.max_side_px and billing.scaled_size(*size) == size:
                cells = layout.ink_columns * rows
                shapes.append((cells / billing.tokens(*size), cells, columns, rows))
    if not shapes:
        raise ReaderProfileError(f"reader '{reader.name}': no image of its type is seen without being scaled down")
    best = max(shapes)[0]
    _, _, columns, rows = max(
        (s for s in shapes if s[0] >= MIN_DENSITY_SHARE * best), key=lambda s: (s[1], -abs(s[2] - 100))
    )
    return replace(base, columns=columns, rows=rows)


def image_px(layout: PageLayout, rows: int) -> tuple[int, int]:
    """Width and height in px of a page image of `rows` rows, with its margin."""
    left, above = margin_px(layout)
    return layout.columns * layout.cell_width_px + left, rows * layout.cell_height_px + 2 * above


def margin_px(layout: PageLayout) -> tuple[int, int]:
    """Px of paper to the left of the cells of a page image, and above them; there is as much below."""
    cells = 0 if layout.wrap == "cells" else MARGIN_CELLS
    return cells * layout.cell_width_px, cells * layout.cell_height_px


def page_images(entries: Sequence[Entry], reader: Reader, newline: Newline = "mark") -> list[PageImage]:
    """`entries` on as many images as they need, who and when in the layout. Raises `ReaderProfileError` for a reader
    that sees no images, `RenderError` for naive times."""
    layout = reader_layout(reader, newline)
    return [page_image(page, reader) for page in Typesetter(layout).pages(entries)]


def page_image(page: Page, reader: Reader) -> PageImage:
    """The image of a page of `reader_layout(reader)`, cropped to the rows it uses."""
    assert reader.billing is not None
    width, height = image_px(page.layout, page.rows_used)
    return PageImage(page, width, height, reader.billing.tokens(width, height))
