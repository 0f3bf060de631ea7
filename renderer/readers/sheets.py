"""Sheets: pages laid out for a reader, in the type that it reads and in the shape that holds the most for a token."""

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
#: Of PNG. The highest level takes eight times as long and saves three bytes in a hundred.
COMPRESSION = 6
#: Shapes that hold nearly as much for a token as the best one; of them the largest is used.
NEARLY = 0.99


@dataclass(frozen=True)
class Sheet:
    """A page image for a reader."""

    page: Page
    width_px: int
    height_px: int
    #: What the reader bills for it.
    tokens: int

    @cached_property
    def png(self) -> bytes:
        """PNG, drawn on first use. The same page always gives the same bytes."""
        image = Image.fromarray(np.ascontiguousarray(rasterize(self.page.cells, self.page.layout)))
        buffer = BytesIO()
        image.save(buffer, "PNG", compress_level=COMPRESSION)
        return buffer.getvalue()


def sheet_layout(reader: Reader, newline: Newline = "mark") -> PageLayout:
    """The layout of a full sheet: as many cells as the reader sees for a token without scaling the image down. Raises
    `ReaderProfileError` for a reader that sees no images."""
    if not reader.sees:
        raise ReaderProfileError(f"the reader '{reader.name}' looks at no images; give it text")
    return replace(_best_layout(reader), newline=newline)


@lru_cache(maxsize=64)
def _best_layout(reader: Reader) -> PageLayout:
    limits, billing, cell = reader.limits, reader.billing, reader.legible
    assert limits is not None
    assert billing is not None
    assert cell is not None
    shapes: list[tuple[float, int, int, int]] = []
    for columns in range(8, min(MAX_COLUMNS, limits.max_side_px // cell.width_px) + 1, 2):
        for rows in range(1, limits.max_side_px // cell.height_px + 1):
            size = columns * cell.width_px, rows * cell.height_px
            if billing.seen(*size) == size:
                shapes.append((columns * rows / billing.tokens(*size), columns * rows, columns, rows))
    if not shapes:
        raise ReaderProfileError(f"reader '{reader.name}': no image of its type is seen without being scaled down")
    best = max(shapes)[0]
    _, _, columns, rows = max((s for s in shapes if s[0] >= NEARLY * best), key=lambda s: (s[1], -abs(s[2] - 100)))
    return PageLayout(
        columns=columns,
        rows=rows,
        cell_width_px=cell.width_px,
        cell_height_px=cell.height_px,
        newline="mark",
        font=cell.font,
    )


def set_sheets(entries: Sequence[Entry], reader: Reader, newline: Newline = "mark") -> list[Sheet]:
    """`entries` on as many sheets as they need, who and when in the layout. Raises `ReaderProfileError` for a reader
    that sees no images, `RenderError` for naive times."""
    layout = sheet_layout(reader, newline)
    return [sheet_of(page, reader) for page in Typesetter(layout).pages(entries)]


def sheet_of(page: Page, reader: Reader) -> Sheet:
    """The sheet of a page of `sheet_layout(reader)`, cropped to the rows it uses."""
    assert reader.billing is not None
    rows, columns = page.cells.shape
    width, height = columns * page.layout.cell_width_px, rows * page.layout.cell_height_px
    return Sheet(page, width, height, reader.billing.tokens(width, height))
