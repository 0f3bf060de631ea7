"""The codec contract: page image → vision tokens → text with a confidence for every character.

`foxing.encoder.capabilities` has what a codec may offer beyond it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.renderer import BLANK, GAP_MARK, WIDE_TAIL, Cells, PageLayout, Repertoire, grid_text

from .tokens import STREAM, VisionTokens, is_variable, numbers_in

#: The code point that stands for a cell the codec cannot read (U+FFFD), always with confidence 0.
UNREADABLE = 0xFFFD
#: A page counts as unread if more than this share of its characters is `UNREADABLE`.
UNREAD_SHARE = 0.3
#: Bytes of the stream of a full page, for estimates before it is encoded: about those of English prose.
FULL_PAGE_BYTES = 3500


@dataclass(frozen=True)
class TierSpec:
    """What a codec's vision tokens look like at one tier."""

    name: str
    #: Side of a full page's image in px.
    side_px: int
    #: Vision tokens of a full page, at most.
    tokens: int
    #: Bytes of a vision token; for an image, the average on a full page of English.
    bytes_per_token: int
    #: What a token's numbers are stored in; see `foxing.encoder.tokens`.
    dtype: str
    #: A character with a confidence below this counts as uncertain.
    flag_below: float
    #: Text tokens of a page that is read well at this tier, by the model's own curve; None: as many as a page has.
    text_tokens: int | None = None
    #: Context positions that a full page takes in the decoding model, if they are more than its tokens.
    positions: int | None = None

    @property
    def context_positions(self) -> int:
        """Context positions that a full page takes in the decoding model."""
        return self.tokens if self.positions is None else self.positions

    @property
    def bytes_per_page(self) -> int:
        """Bytes of a full page's tokens, without their header; for a stream, at most."""
        return self.tokens * self.bytes_per_token

    @property
    def streamed(self) -> bool:
        """Whether the tokens are pieces of one stream, which is as long as the page needs, up to the tier's
        capacity."""
        return self.dtype == STREAM

    @property
    def fades(self) -> bool:
        """Whether a page may hold more than this tier does, so that some of it fades."""
        return self.streamed or self.text_tokens is not None

    @property
    def variable(self) -> bool:
        """Whether the bytes of a page's tokens depend on what is on the page."""
        return is_variable(self.dtype)


@dataclass(frozen=True)
class Reading:
    """What a codec decoded from the tokens of a page."""

    tier: str
    #: uint32[rows, columns]: the grid as decoded; values as in `foxing.renderer.Page`, or `UNREADABLE`.
    cells: Cells
    #: float32[rows, columns] in [0, 1]: the probability that each cell is right; 1 where there is a gap, which is
    #: certain to be gone.
    confidence: npt.NDArray[np.float32]
    #: The tier's threshold: cells below it count as uncertain.
    flag_below: float

    @property
    def text(self) -> str:
        """The page in reading order, headers and marks included."""
        return grid_text(self.cells)

    @property
    def gap(self) -> npt.NDArray[np.bool_]:
        """bool[rows, columns]: the cells where something has faded."""
        gap: npt.NDArray[np.bool_] = self.cells == ord(GAP_MARK)
        return gap

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the cells that are neither blank nor a gap; 1 for a page without any."""
        used = self._used
        return float(self.confidence[used].mean()) if used.any() else 1.0

    @property
    def unread(self) -> bool:
        """Whether the page could not be read at all: it is empty, or more than `UNREAD_SHARE` of what has not faded is
        unreadable (noise, another font, a page laid out for another codec). Its text is then meaningless."""
        used = self._used & (self.cells != WIDE_TAIL)
        if not used.any():
            return not self.gap.any()
        return float((self.cells[used] == UNREADABLE).mean()) > UNREAD_SHARE

    @property
    def _used(self) -> npt.NDArray[np.bool_]:
        used: npt.NDArray[np.bool_] = (self.cells != BLANK) & (self.cells != 0x20) & ~self.gap
        return used


class Codec(Protocol):
    """An encoder–decoder for page images. Thread-safe."""

    #: The name it is registered under in `CODECS`.
    name: str
    #: Digest of the weights. Tokens written by other weights are rejected.
    weights: str
    #: The layout of the pages it encodes.
    layout: PageLayout
    #: The characters it can decode; others are typeset as escapes. None: every character with a glyph.
    repertoire: Repertoire | None
    #: Its tiers by name, sharpest first.
    tiers: Mapping[str, TierSpec]
    #: How many grid rows above and below a row its decoding depends on: with that margin, `VisionTokens.crop` gives a
    #: part of a page that decodes as it does within the page. None if a page can only be decoded whole.
    context_rows: int | None

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """One `VisionTokens` per image.

        `images`: mode "L" or convertible to it, as wide as the tier's side and a multiple of 64 px high. Raises
        `CodecError` for an image of another size or a tier that the codec lacks.
        """
        ...

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """One `Reading` per item; tiers may be mixed. Where only the head of a page is wanted, see `VisionTokens.head`,
        its reading may end there. Raises `TokensError` for tokens of another codec, other weights or an unknown
        shape."""
        ...


def token_grid(codec: Codec, layout: PageLayout, rows_used: int, tier: str) -> tuple[int, int]:
    """Rows and columns of the vision tokens of a page of `layout` that uses `rows_used` rows.

    If the layout does not crop, they are those of the codec's tier, whose tokens need not cover 64×64 px. For a stream
    they are an estimate: one row of the tokens that such a page takes on average.
    """
    spec = codec.tiers[tier]
    if spec.dtype == STREAM:
        return 1, -(-_stream_bytes(spec, layout, rows_used) // spec.bytes_per_token)
    if layout.cropped:
        return layout.bands(rows_used, tier), layout.token_rows(tier)
    side = isqrt(spec.tokens)
    return side, side


def expected_bytes(codec: Codec, layout: PageLayout, rows_used: int, tier: str) -> int:
    """Bytes of the vision tokens of a page of `layout` that uses `rows_used` rows, header included; an estimate if
    their size is variable."""
    rows, columns = token_grid(codec, layout, rows_used, tier)
    spec = codec.tiers[tier]
    shape = (rows, columns, numbers_in(spec.dtype, spec.bytes_per_token))
    stream = spec.dtype == STREAM
    size = _stream_bytes(spec, layout, rows_used) if stream else rows * columns * spec.bytes_per_token
    return len(VisionTokens(codec.name, codec.weights, tier, shape, spec.dtype, b"\0" * size).to_bytes())


def _stream_bytes(spec: TierSpec, layout: PageLayout, rows_used: int) -> int:
    """Estimated bytes of the stream of a page that uses `rows_used` rows: its share of `FULL_PAGE_BYTES`, and no more
    than the tier holds."""
    return min(spec.bytes_per_page, max(1, FULL_PAGE_BYTES * rows_used // layout.rows))


def can_draw_for(codec: Codec, layout: PageLayout) -> bool:
    """Whether the codec can encode images of pages of `layout`: the grid is the same, and so is whether it crops."""
    own = codec.layout
    return (layout.columns, layout.rows, layout.cropped) == (own.columns, own.rows, own.cropped)
