"""Page images for a reader, in a type size that it reads and a shape that fits the most cells per billed token."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from foxing.renderer.atlas import load_atlas
from foxing.renderer.bitmap_fonts import bitmap_glyphs
from foxing.renderer.layout import PageLayout
from foxing.renderer.marks import MESSAGE_MARK, THREAD_MARK
from foxing.renderer.outline import outline_glyphs
from foxing.renderer.page import Page
from foxing.renderer.raster import rasterize
from foxing.renderer.type_proof import TypeProof, type_proof
from foxing.renderer.typeset import Entry, Typesetter

from .png import encode_png
from .reader import Reader, ReaderProfileError, TypeSize, margin_px, page_px, type_layout

#: What stands for the marks of headers in what messages say; every type has these.
_SAID_MARKS = str.maketrans({MESSAGE_MARK: ">", THREAD_MARK: "*"})
#: See `PageLayout.newline`.
Newline = Literal["mark", "break"]
#: Maximum length of a row where nobody measured longer ones; readers lose their place in these.
MAX_COLUMNS = 160
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
        return encode_png(pixels)

    @cached_property
    def type_proof(self) -> TypeProof:
        """Characters of the page that its type does not show safely."""
        return type_proof(self.page.cells, self.page.layout)


def reader_layout(reader: Reader, newline: Newline = "mark") -> PageLayout:
    """Returns the layout of a full page image with the most cells per billed token among the sizes that the provider
    does not scale down. Raises `ReaderProfileError` for a reader that accepts no images."""
    if not reader.accepts_images:
        raise ReaderProfileError(f"the reader '{reader.name}' accepts no images; give it text")
    return replace(_best_layout(reader), newline=newline)


@lru_cache(maxsize=64)
def _best_layout(reader: Reader) -> PageLayout:
    limits = reader.limits
    billing = reader.billing
    cell = reader.legible
    assert limits is not None
    assert billing is not None
    assert cell is not None
    if cell.columns is not None:
        return type_layout(cell, dense=reader.dense)
    base = PageLayout(
        columns=10,
        rows=1,
        cell_width_px=cell.width_px,
        cell_height_px=cell.height_px,
        font=cell.font,
        wrap="cells" if reader.dense else "words",
    )
    shapes: list[tuple[float, int, int, int]] = []
    maximum = min(MAX_COLUMNS, limits.max_side_px // cell.width_px)
    for columns in range(8, maximum + 1, 2) if reader.dense else range(9, maximum + 1):
        layout = replace(base, columns=columns)
        for rows in range(1, limits.max_side_px // cell.height_px + 1):
            size = page_px(layout, rows)
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


def cells_per_token(reader: Reader) -> float:
    """Returns the cells of a full page image for each token billed; 0 for a reader that accepts no images."""
    if not reader.accepts_images or reader.billing is None:
        return 0.0
    layout = _best_layout(reader)
    return layout.ink_columns * layout.rows / reader.billing.tokens(*page_px(layout))


def is_read(text: str, reader: Reader) -> bool:
    """Returns True if a reader is known to read the characters of `text` at its type size: each letter, digit and
    currency sign has a glyph in the font, and full-width scripts were measured. Other characters, such as emoji, may
    be drawn in Unifont. False for a reader that accepts no images."""
    cell = reader.legible
    if cell is None:
        return False
    return text.isascii() or all(_is_read(character, cell) for character in set(text) if ord(character) > 0x7F)


@lru_cache(maxsize=1 << 14)
def _is_read(character: str, cell: TypeSize) -> bool:
    category = unicodedata.category(character)
    if category[0] not in "LNM" and category != "Sc":
        return True
    if load_atlas().width[ord(character)] == 2 and not cell.reads_full_width:
        return False
    if cell.font == "unifont":
        return bool(load_atlas().width[ord(character)])
    if cell.font == "dejavu-sans-mono":
        return load_atlas().width[ord(character)] == 2 or outline_glyphs(cell.width_px, cell.height_px).draws(character)
    return bitmap_glyphs(cell.font).draws(character)


def page_images(entries: Sequence[Entry], reader: Reader, newline: Newline = "mark") -> list[PageImage]:
    """Typesets `entries`, headers included, on as many page images as they need. Raises `ReaderProfileError` for a
    reader that accepts no images, `RenderError` for naive times. The marks of headers in what messages say become other
    characters, so that a message cannot show the header of another."""
    layout = reader_layout(reader, newline)
    return [page_image(page, reader) for page in Typesetter(layout).pages([_without_marks(entry) for entry in entries])]


def _without_marks(entry: Entry) -> Entry:
    texts = (entry.content, entry.thread, entry.name or "")
    if not any(mark in text for text in texts for mark in (MESSAGE_MARK, THREAD_MARK)):
        return entry
    content, thread, name = (text.translate(_SAID_MARKS) for text in texts)
    return replace(entry, content=content, thread=thread, name=name if entry.name is not None else None)


def page_image(page: Page, reader: Reader) -> PageImage:
    """Returns the image of a page of the layout `reader_layout(reader)`, cropped to the rows in use unless the full
    page is billed less."""
    billing = reader.billing
    assert billing is not None
    sizes = page_px(page.layout, page.rows_used), page_px(page.layout)
    width, height = min(sizes, key=lambda size: billing.tokens(*size))
    return PageImage(page, width, height, billing.tokens(width, height))
