"""Page geometry: the grid of cells, and the tiers at which a page is held."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, Self

from .errors import LayoutError

GLYPH_PX = (8, 16)  # width and height of a Unifont glyph
MAX_SIDE_PX = 8192  # of a page before it is scaled to the tier
TOKEN_SIDE_PX = 64  # one vision token covers 64×64 px of the tier's image

#: Side of a square page at each tier, in px, sharpest first. The first four are DeepSeek-OCR's own modes.
TIER_SIDES_PX: Mapping[str, int] = MappingProxyType(
    {"large": 1280, "base": 1024, "small": 640, "tiny": 512, "micro": 320}
)
TIERS: tuple[str, ...] = tuple(TIER_SIDES_PX)


def tier_rank(tier: str) -> int:
    """0 for the sharpest tier. Raises `LayoutError` for a name that is no tier."""
    if tier not in TIER_SIDES_PX:
        raise LayoutError(f"'{tier}' is no tier; use one of {', '.join(TIERS)}")
    return TIERS.index(tier)


@dataclass(frozen=True)
class PageLayout:
    """How a page is laid out: a value that is stored with the page.

    The default is the dense page: 160 columns by 80 rows of 8×16 px cells, square at every tier, cropped to the token
    rows it uses. `newline`: whether a new line inside a message is a mark (¶) or a row break, which in the last
    column of a row is a mark too. `font`: "unifont" takes cells of 8×16 px or a multiple, "dejavu-sans-mono" cells of
    any size. `cropped`: whether a page that is not full is cropped; other readers want square images, whole whatever
    stands on them. Raises `LayoutError` when it makes no sense.
    """

    columns: int = 160
    rows: int = 80
    cell_width_px: int = 8
    cell_height_px: int = 16
    newline: Literal["mark", "break"] = "mark"
    font: Literal["unifont", "dejavu-sans-mono"] = "unifont"
    cropped: bool = True

    def __post_init__(self) -> None:
        sizes = (self.columns, self.rows, self.cell_width_px, self.cell_height_px)
        if not all(type(size) is int for size in sizes):
            raise LayoutError(f"columns, rows and cell sizes of a page are whole numbers, not {sizes}")
        if self.font not in ("unifont", "dejavu-sans-mono"):
            raise LayoutError(f"font is 'unifont' or 'dejavu-sans-mono', not '{self.font}'")
        scale = self.cell_width_px // GLYPH_PX[0]
        if self.font == "unifont" and (scale < 1 or self._cell_px != (scale * GLYPH_PX[0], scale * GLYPH_PX[1])):
            raise LayoutError("cells of Unifont are 8×16 px before scaling, the size of the glyphs, or a multiple")
        if self.cell_width_px < 4 or self.cell_height_px < self.cell_width_px:
            raise LayoutError("cells are at least 4 px wide, and no wider than high")
        if self.columns < 8 or self.columns % 2 or self.rows < 1:
            raise LayoutError("a page needs an even number of columns, 8 or more, and at least one row")
        if max(self.columns * self.cell_width_px, self.rows * self.cell_height_px) > MAX_SIDE_PX:
            raise LayoutError(f"a page has at most {MAX_SIDE_PX} px a side; take fewer or smaller cells")
        if self.newline not in ("mark", "break"):
            raise LayoutError(f"newline is 'mark' or 'break', not '{self.newline}'")
        if type(self.cropped) is not bool:
            raise LayoutError(f"cropped is true or false, not {self.cropped!r}")

    @property
    def _cell_px(self) -> tuple[int, int]:
        return self.cell_width_px, self.cell_height_px

    @property
    def cells(self) -> int:
        """Cells on a full page."""
        return self.columns * self.rows

    def token_rows(self, tier: str) -> int:
        """Rows of vision tokens on a full page at `tier`."""
        return self.side_px(tier) // TOKEN_SIDE_PX

    def side_px(self, tier: str) -> int:
        tier_rank(tier)
        return TIER_SIDES_PX[tier]

    def rows_per_token(self, tier: str) -> int:
        """Grid rows under one row of vision tokens. Raises `LayoutError` when they do not divide evenly."""
        rows, rest = divmod(self.rows, self.token_rows(tier))
        if rest:
            raise LayoutError(f"{self.rows} rows do not divide into the {self.token_rows(tier)} token rows of '{tier}'")
        return rows

    def columns_per_token(self, tier: str) -> int:
        """Grid columns under one vision token."""
        columns, rest = divmod(self.columns, self.token_rows(tier))
        if rest:
            raise LayoutError(f"{self.columns} columns do not divide into the token columns of '{tier}'")
        return columns

    def cropped_rows(self, rows_used: int, tier: str) -> int:
        """`rows_used` rounded up to whole token rows of `tier`, as a page that is not full costs only those; all rows
        where pages stay whole."""
        if not self.cropped:
            tier_rank(tier)
            return self.rows
        step = self.rows_per_token(tier)
        return min(self.rows, max(step, -(-rows_used // step) * step))

    def bands(self, rows_used: int, tier: str) -> int:
        """Parts of a page that can be read by themselves: its token rows, or one where pages stay whole."""
        return self.cropped_rows(rows_used, tier) // self.rows_per_token(tier) if self.cropped else 1

    def vision_tokens(self, rows_used: int, tier: str) -> int:
        """Vision tokens that `rows_used` rows cost at `tier`, one for 64×64 px."""
        rows = self.bands(rows_used, tier) if self.cropped else self.token_rows(tier)
        return rows * self.token_rows(tier)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        try:
            return cls(**fields)
        except TypeError as error:  # a field it does not know
            raise LayoutError(f"this is no page layout: {error}") from error


DENSE_PAGE = PageLayout()
#: For readers that have learnt printed pages: a quarter of the characters of the dense page, in an outline font.
PRINTED_PAGE = PageLayout(
    columns=80,
    rows=40,
    cell_width_px=16,
    cell_height_px=32,
    newline="break",
    font="dejavu-sans-mono",
    cropped=False,
)
