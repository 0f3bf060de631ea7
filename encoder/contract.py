"""The codec contract: page image → vision tokens → text with a confidence for every character."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.renderer import BLANK, WIDE_TAIL, Cells, PageLayout, grid_text

from .tokens import VisionTokens, is_variable, numbers_in

#: What a cell reads as that shows nothing the codec was made to read, with confidence 0.
UNREADABLE = 0xFFFD
#: Share of a page's characters that must be unreadable before the page as a whole counts as unread.
UNREAD_SHARE = 0.3


@dataclass(frozen=True)
class TierSpec:
    """One tier of a codec. `tokens` and `bytes_per_token` are those of a full page, in numbers of `dtype`; where tokens
    are as long as their page needs (`variable`), `bytes_per_token` is that of a full page of English. A character whose
    confidence is below `flag_below` counts as uncertain. `positions`: places that a full page takes in the context of
    the model that reads it, where those are more than its tokens."""

    name: str
    side_px: int
    tokens: int
    bytes_per_token: int
    dtype: str
    flag_below: float
    positions: int | None = None

    @property
    def context_positions(self) -> int:
        """What a full page costs the reader's context."""
        return self.tokens if self.positions is None else self.positions

    @property
    def bytes_per_page(self) -> int:
        return self.tokens * self.bytes_per_token

    @property
    def variable(self) -> bool:
        return is_variable(self.dtype)


@dataclass(frozen=True)
class Reading:
    """What a codec reads from the tokens of a page.

    `cells`: uint32[rows, columns], the grid as read (values as in `foxing.renderer.Page`);
    `confidence`: float32[rows, columns] in [0, 1], the probability that the cell is right. `flag_below` is the tier's
    threshold under which a cell is uncertain.
    """

    tier: str
    cells: Cells
    confidence: npt.NDArray[np.float32]
    flag_below: float

    @property
    def text(self) -> str:
        """Everything on the page in reading order, headers and marks included."""
        return grid_text(self.cells)

    @property
    def mean_confidence(self) -> float:
        """Over the cells that are not blank; 1 for an empty page."""
        used = self._used
        return float(self.confidence[used].mean()) if used.any() else 1.0

    @property
    def unread(self) -> bool:
        """Whether this is no reading at all: the page is empty, or too much of it is nothing that the codec was made to
        read (noise, another font, a page laid out for another reader). The text is not what was written."""
        used = self._used & (self.cells != WIDE_TAIL)
        return not used.any() or float((self.cells[used] == UNREADABLE).mean()) > UNREAD_SHARE

    @property
    def _used(self) -> npt.NDArray[np.bool_]:
        used: npt.NDArray[np.bool_] = (self.cells != BLANK) & (self.cells != 0x20)
        return used


class Codec(Protocol):
    """An encoder–decoder for pages. Thread-safe: several threads may encode and decode at once."""

    name: str
    #: Names the weights; tokens written by other weights are refused.
    weights: str
    #: The layout whose pages the codec reads.
    layout: PageLayout
    #: The characters it reads; the typesetter escapes all others. None: every character that has a glyph.
    repertoire: str | None
    tiers: Mapping[str, TierSpec]
    #: Grid rows on either side of a row that its reading depends on, or None when a page can only be read whole.
    #: With a number, `VisionTokens.crop` gives a part of a page that reads as the whole page does.
    context_rows: int | None

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """One `VisionTokens` an image. `images`: mode "L" or convertible, as wide as the tier's side and a multiple of
        64 px high. Raises `CodecError` for a tier it lacks or an image of another size."""
        ...

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """One `Reading` for each, tiers may be mixed. Raises `TokensError` for tokens of another codec, other weights
        or a shape it does not know."""
        ...


def token_grid(codec: Codec, layout: PageLayout, rows_used: int, tier: str) -> tuple[int, int]:
    """Rows and columns of the vision tokens of a page of `layout` with `rows_used` rows. A page that is never cropped
    has those of the codec's tier, whose tokens need not cover 64×64 px."""
    if layout.cropped:
        return layout.bands(rows_used, tier), layout.token_rows(tier)
    side = isqrt(codec.tiers[tier].tokens)
    return side, side


def expected_bytes(codec: Codec, layout: PageLayout, rows_used: int, tier: str) -> int:
    """Bytes that the vision tokens of such a page take, their header included; about so many where tokens are as long
    as their page needs."""
    rows, columns = token_grid(codec, layout, rows_used, tier)
    spec = codec.tiers[tier]
    shape = (rows, columns, numbers_in(spec.dtype, spec.bytes_per_token))
    data = b"\0" * (rows * columns * spec.bytes_per_token)
    return len(VisionTokens(codec.name, codec.weights, tier, shape, spec.dtype, data).to_bytes())


def can_draw_for(codec: Codec, layout: PageLayout) -> bool:
    """Whether a page of `layout` is an image that the codec encodes: of the same grid, and cropped or whole alike."""
    ours = codec.layout
    return (layout.columns, layout.rows, layout.cropped) == (ours.columns, ours.rows, ours.cropped)
