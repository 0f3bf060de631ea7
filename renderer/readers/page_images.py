"""Page images for a reader, in a type size that it reads and a shape that fits the most cells per billed token."""

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
#: Maximum length of a row; readers lose their place in longer ones.
MAX_COLUMNS = 160
#: Margin in blank cells around the text of a page image that is not dense. The right margin is the last column of the
#: grid, which holds no ink.
MARGIN_CELLS = 1
#: zlib level. The highest level takes eight times as long and saves 3 % of the bytes.
PNG_COMPRESSION_LEVEL = 6
#: Of the shapes with at least this share of the best ratio of cells to billed tokens, the largest is used.
MIN_DENSITY_SHARE = 0.99


@dataclass(frozen=True)
class PageImage:
    """Page image for a reader."""

    page: Page
    width_px: int
    height_px: int
    #: Tokens that the reader bills for the image.
    tokens: int

    @cached_property
    def png(self) -> bytes:
        """PNG file, drawn on first use. The same page always gives the same bytes."""
        pixels = np.full((self.height_px, self.width_px), 255, dtype=np.uint8)
        drawn = rasterize(self.page.cells, self.page.layout)
        left, above = margin_px(self.page.layout)
        pixels[above : above + drawn.shape[0], left:] = drawn
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=PNG_COMPRESSION_LEVEL)
        return buffer.getvalue()


def reader_layout(reader: Reader, newline: Newline = "mark") -> PageLayout:
    """Returns the layout of a full page image with the most cells per billed token among the sizes that the provider
    does not scale down. Raises `ReaderProfileError` for a reader that accepts no images."""
    if not reader.accepts_images:
        raise ReaderProfileError(f"the reader '{reader.name}' accepts no images; give it text")
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
        raise ReaderProfileError(f"reader '{reader.name}': the provider scales down every image in its type size")
    best = max(shapes)[0]
    _, _, columns, rows = max(
        (s for s in shapes if s[0] >= MIN_DENSITY_SHARE * best), key=lambda s: (s[1], -abs(s[2] - 100))
    )
    return replace(base, columns=columns, rows=rows)


def image_px(layout: PageLayout, rows: int) -> tuple[int, int]:
    """Returns the width and height in px of a page image of `rows` rows, margins included."""
    left, above = margin_px(layout)
    return layout.columns * layout.cell_width_px + left, rows * layout.cell_height_px + 2 * above


def margin_px(layout: PageLayout) -> tuple[int, int]:
    """Returns the left and the top margin of a page image in px; the bottom margin equals the top one."""
    cells = 0 if layout.wrap == "cells" else MARGIN_CELLS
    return cells * layout.cell_width_px, cells * layout.cell_height_px


def page_images(entries: Sequence[Entry], reader: Reader, newline: Newline = "mark") -> list[PageImage]:
    """Typesets `entries`, headers included, on as many page images as they need. Raises `ReaderProfileError` for a
    reader that accepts no images, `RenderError` for naive times."""
    layout = reader_layout(reader, newline)
    return [page_image(page, reader) for page in Typesetter(layout).pages(entries)]


def page_image(page: Page, reader: Reader) -> PageImage:
    """Returns the image of a page of the layout `reader_layout(reader)`, cropped to the rows in use."""
    assert reader.billing is not None
    width, height = image_px(page.layout, page.rows_used)
    return PageImage(page, width, height, reader.billing.tokens(width, height))
