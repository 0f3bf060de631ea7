"""Page geometry: the grid of cells, and its vision tokens at each tier."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

from .errors import LayoutError
from .tiers import TOKEN_SIDE_PX, tier_named

GLYPH_WIDTH_PX = 8  # of a narrow glyph of Unifont, or half of a full-width one
GLYPH_HEIGHT_PX = 16
MAX_SIDE_PX = 8192  # of a page before it is scaled to a tier

FontName = Literal["unifont", "dejavu-sans-mono", "spleen-5x8", "jetbrains-mono-14"]
#: Bitmap fonts of one size: their cell in px.
BITMAP_CELLS_PX: Mapping[str, tuple[int, int]] = MappingProxyType({"spleen-5x8": (5, 8), "jetbrains-mono-14": (9, 16)})


@dataclass(frozen=True)
class PageLayout:
    """Layout of a page. Stored with each page.

    The default is the dense page: 160 columns by 80 rows of 8×16 px cells, square at every tier and cropped to the
    token rows it uses. Raises `LayoutError` for invalid values.
    """

    #: Cells per row: an even number, at least 8; with `wrap="words"` any number, at least 9.
    columns: int = 160
    #: Rows of a full page.
    rows: int = 80
    #: Width of a cell in px, before the page is scaled to a tier. Unifont needs a multiple of 8.
    cell_width_px: int = 8
    #: Height of a cell in px. Unifont needs twice the width.
    cell_height_px: int = 16
    #: Typesetting of a newline inside a message. "mark" writes ¶. "break" starts a new row, and writes ¶ only if the
    #: newline falls in the last column, where a blank would look like a space.
    newline: Literal["mark", "break"] = "mark"
    #: Bitmap font, or outline font for models trained on printed pages; the outline font, DejaVu Sans Mono, fits any
    #: cell size. Spleen and JetBrains Mono have one cell size each.
    font: FontName = "unifont"
    #: Whether a page that is not full is cropped to the token rows it uses. If not, every image is a full square.
    cropped: bool = True
    #: Line breaking. "cells": rows break anywhere, and full-width characters start at even columns. "words": rows break
    #: between words, except in words longer than a row; full-width characters start anywhere, and the last column holds
    #: no ink. An image does not show whether a row ended at a space, so pages that a codec reads back need "cells".
    wrap: Literal["cells", "words"] = "cells"
    #: Whether headers mark messages that span pages. A model trained on pages without these marks misreads headers that
    #: have them. Without marks, any page break may be inside a word.
    break_marks: bool = True

    def __post_init__(self) -> None:
        sizes = (self.columns, self.rows, self.cell_width_px, self.cell_height_px)
        if not all(type(size) is int for size in sizes):
            raise LayoutError(f"columns, rows and cell sizes must be integers, not {sizes}")
        if self.font not in get_args(FontName):
            raise LayoutError(f"font must be one of {', '.join(get_args(FontName))}, not '{self.font}'")
        if (only := BITMAP_CELLS_PX.get(self.font)) and (self.cell_width_px, self.cell_height_px) != only:
            raise LayoutError(f"cells of the font '{self.font}' must be {only[0]}×{only[1]} px")
        scale = self.cell_width_px // GLYPH_WIDTH_PX
        scaled_glyph = (scale * GLYPH_WIDTH_PX, scale * GLYPH_HEIGHT_PX)
        if self.font == "unifont" and (scale < 1 or (self.cell_width_px, self.cell_height_px) != scaled_glyph):
            raise LayoutError("cells of the font 'unifont' must be 8×16 px or a multiple of that")
        if self.cell_width_px < 4 or self.cell_height_px < self.cell_width_px:
            raise LayoutError("cells must be at least 4 px wide and at least as high as wide")
        if self.wrap == "cells" and (self.columns < 8 or self.columns % 2):
            raise LayoutError("a page needs an even number of columns, at least 8")
        if self.rows < 1 or (self.wrap == "words" and self.columns < 9):
            raise LayoutError("a page needs at least one row, and at least 9 columns where rows end with words")
        if max(self.columns * self.cell_width_px, self.rows * self.cell_height_px) > MAX_SIDE_PX:
            raise LayoutError(f"a page can be at most {MAX_SIDE_PX} px on a side; use fewer or smaller cells")
        if self.newline not in ("mark", "break"):
            raise LayoutError(f"newline must be 'mark' or 'break', not '{self.newline}'")
        if self.wrap not in ("cells", "words"):
            raise LayoutError(f"wrap must be 'cells' or 'words', not '{self.wrap}'")
        for name in ("cropped", "break_marks"):
            if type(value := getattr(self, name)) is not bool:
                raise LayoutError(f"{name} must be true or false, not {value!r}")

    @property
    def ink_columns(self) -> int:
        """Number of columns that may hold ink."""
        return self.columns - (self.wrap == "words")

    @property
    def cells(self) -> int:
        """Number of cells on a full page."""
        return self.columns * self.rows

    def token_rows(self, tier: str) -> int:
        """Returns the rows of vision tokens of a full page at `tier`, which equal its columns. Raises `LayoutError`
        for an unknown tier."""
        return self.side_px(tier) // TOKEN_SIDE_PX

    def side_px(self, tier: str) -> int:
        """Returns the side of a full page at `tier` in px. Raises `LayoutError` for an unknown tier."""
        return tier_named(tier).side_px

    def rows_per_token(self, tier: str) -> int:
        """Returns the grid rows per row of vision tokens. Raises `LayoutError` if they do not divide evenly."""
        rows, remainder = divmod(self.rows, self.token_rows(tier))
        if remainder:
            raise LayoutError(f"{self.rows} rows do not divide into the {self.token_rows(tier)} token rows of '{tier}'")
        return rows

    def columns_per_token(self, tier: str) -> int:
        """Returns the grid columns per vision token. Raises `LayoutError` if they do not divide evenly."""
        columns, remainder = divmod(self.columns, self.token_rows(tier))
        if remainder:
            raise LayoutError(f"{self.columns} columns do not divide into the token columns of '{tier}'")
        return columns

    def cropped_rows(self, rows_used: int, tier: str) -> int:
        """Returns the grid rows that the image of a page with `rows_used` rows shows: rounded up to whole token rows,
        at least one; all rows if pages are not cropped."""
        if not self.cropped:
            tier_named(tier)
            return self.rows
        step = self.rows_per_token(tier)
        return min(self.rows, max(step, -(-rows_used // step) * step))

    def bands(self, rows_used: int, tier: str) -> int:
        """Returns the number of bands of a page, the parts that can be decoded separately: its token rows, or 1 if
        pages are not cropped."""
        return self.cropped_rows(rows_used, tier) // self.rows_per_token(tier) if self.cropped else 1

    def vision_tokens(self, rows_used: int, tier: str) -> int:
        """Returns the vision tokens of a page with `rows_used` rows: one for each 64×64 px of its image at `tier`."""
        rows = self.bands(rows_used, tier) if self.cropped else self.token_rows(tier)
        return rows * self.token_rows(tier)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields that differ from their defaults, as a JSON object. Stored pages depend on the defaults."""
        return {name: value for name, value in asdict(self).items() if value != getattr(PageLayout, name)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Inverts `to_dict`; missing fields take their defaults. Raises `LayoutError` for unknown or invalid fields."""
        try:
            return cls(**fields)
        except TypeError as error:  # an unknown field
            raise LayoutError(f"invalid page layout: {error}") from error


#: Default layout, for the native codec.
DENSE_PAGE = PageLayout()
#: Layout for models trained on printed pages: a quarter of the cells of the dense page, in an outline font.
PRINTED_PAGE = PageLayout(
    columns=80,
    rows=40,
    cell_width_px=16,
    cell_height_px=32,
    newline="break",
    font="dejavu-sans-mono",
    cropped=False,
)
