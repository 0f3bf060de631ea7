"""A reader with eyes of a given sharpness: compares each cell of a blurred page with each blurred glyph."""

import string
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from foxing.renderer import Entry, PageLayout, Typesetter
from foxing.renderer.readers import Reader, TypeSize, margin_px, page_image, reader_layout

#: Cells of the mark that begins a message, which is not text.
MARK_CELLS = 2
GLYPHS = string.ascii_letters + string.digits + ".,-:"
Pixels = npt.NDArray[np.float32]


class GlyphReader:
    """Knows the cell sizes that there are, not which a page has, and nothing of what is on it."""

    def __init__(
        self,
        reader: Reader,
        cells: Sequence[tuple[int, int]],
        *,
        blur_px: float = 0.0,
        noise: float = 0.0,
        glyphs: str = GLYPHS,
    ) -> None:
        """`blur_px`, `noise`: standard deviations of the blur and of the noise of a pixel, of 255. `glyphs`: characters
        that it knows."""
        self._known = glyphs
        self._layouts = [reader_layout(_tried(reader, cell)) for cell in cells]
        self._readers = [_tried(reader, cell) for cell in cells]
        self._blur_px = blur_px
        self._noise = noise

    def read(self, image: Image.Image) -> str:
        """Returns the text in the cell size whose glyphs resemble the page most."""
        seen = self._seen(image)
        return min((self._read_as(seen, number) for number in range(len(self._layouts))), key=lambda each: each[0])[1]

    def _seen(self, image: Image.Image) -> Pixels:
        sharp = image.convert("L").filter(ImageFilter.GaussianBlur(self._blur_px))
        pixels = np.asarray(sharp, np.float32)
        noise = np.random.default_rng(pixels.size).normal(0, self._noise, pixels.shape)
        return (pixels + noise).astype(np.float32)

    def _read_as(self, seen: Pixels, number: int) -> tuple[float, str]:
        cells = _cells(seen, self._layouts[number])
        if not len(cells):
            return np.inf, ""
        characters, glyphs = self._glyphs(number)
        distances = (cells**2).mean(1)[:, None] + (glyphs**2).mean(1) - 2 * cells @ glyphs.T / glyphs.shape[1]
        text = "".join(characters[each] for each in distances.argmin(1)[MARK_CELLS:])
        return float(distances.min(1).mean()), text

    @cache  # noqa: B019
    def _glyphs(self, number: int) -> tuple[str, Pixels]:
        layout = self._layouts[number]
        entry = Entry("", "", self._known, datetime(1970, 1, 1, tzinfo=UTC), header=False)
        page = page_image(Typesetter(layout).page([entry]), self._readers[number])
        image = Image.open(BytesIO(page.png)).convert("L").filter(ImageFilter.GaussianBlur(self._blur_px))
        cells = _cells(np.asarray(image, np.float32), layout)[1 : len(self._known) + 1]  # after the mark of a message
        blank = np.full((1, cells.shape[1]), 255, np.float32)
        return self._known + " ", np.concatenate([cells, blank])


def _tried(reader: Reader, cell: tuple[int, int]) -> Reader:
    own = (size for size in reader.type if (size.width_px, size.height_px) == cell)
    size = next(own, TypeSize(width_px=cell[0], height_px=cell[1]))
    return Reader.model_validate({**reader.model_dump(), "type": (size.model_dump(),)})


def _cells(pixels: Pixels, layout: PageLayout) -> Pixels:
    """Returns the cells that hold text, in reading order, as (cells, pixels); none for an image of another width."""
    left, above = margin_px(layout)
    width, height = layout.cell_width_px, layout.cell_height_px
    columns, over = divmod(pixels.shape[1] - left, width)
    rows, under = divmod(pixels.shape[0] - 2 * above, height)
    if over or under or columns < 2:
        return np.empty((0, width * height), np.float32)
    text = pixels[above : above + rows * height, left : left + (columns - 1) * width]
    return text.reshape(rows, height, columns - 1, width).transpose(0, 2, 1, 3).reshape(-1, height * width)
