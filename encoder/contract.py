"""Codec contract: page image → vision tokens → text with a confidence for every character.

Optional capabilities are in `foxing.encoder.capabilities`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.renderer import PageLayout
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells, grid_text
from foxing.renderer.repertoire import Repertoire

from .tokens import STREAM, VisionTokens, is_variable, numbers_in

#: Code point of a cell that the codec cannot read (U+FFFD), always with confidence 0.
UNREADABLE = 0xFFFD
#: A page counts as unread if more than this share of its characters is `UNREADABLE`.
UNREAD_SHARE = 0.3
#: Estimated bytes of the stream of a full page, before it is encoded: about those of English prose.
FULL_PAGE_BYTES = 3500


@dataclass(frozen=True)
class TierSpec:
    """Format of a codec's vision tokens at one tier."""

    name: str
    #: Side of a full page's image in px.
    side_px: int
    #: Maximum number of vision tokens of a page, unless its facts need more.
    tokens: int
    #: Bytes per vision token; for an image, the average on a full page of English.
    bytes_per_token: int
    #: Storage dtype of a token; see `foxing.encoder.tokens`.
    dtype: str
    #: Characters with a confidence below this count as uncertain.
    flag_below: float
    #: Maximum number of text tokens that the model reads well at this tier, from its published accuracy curve; None:
    #: no limit below that of the page.
    text_tokens: int | None = None
    #: Context positions of a full page in the decoding model, if there are more than its tokens.
    positions: int | None = None
    #: Maximum number of vision tokens of a page whose facts need more than `tokens`; None: `tokens`.
    fact_tokens: int | None = None

    @property
    def context_positions(self) -> int:
        """Context positions of a full page in the decoding model."""
        return self.tokens if self.positions is None else self.positions

    @property
    def bytes_per_page(self) -> int:
        """Bytes of a full page's tokens without the header; for a stream, the maximum unless its
        facts need more."""
        return self.tokens * self.bytes_per_token

    @property
    def max_tokens(self) -> int:
        """Maximum number of vision tokens of any page."""
        return self.tokens if self.fact_tokens is None else self.fact_tokens

    @property
    def max_bytes(self) -> int:
        """`bytes_per_page` of a page whose facts need more."""
        return self.max_tokens * self.bytes_per_token

    @property
    def streamed(self) -> bool:
        """True if the tokens are chunks of one stream of variable length, limited by the tier's capacity."""
        return self.dtype == STREAM

    @property
    def fades(self) -> bool:
        """True if a page may exceed the capacity of this tier, so that some of it fades."""
        return self.streamed or self.text_tokens is not None

    @property
    def variable(self) -> bool:
        """True if the size of a page's tokens in bytes depends on the content of the page."""
        return is_variable(self.dtype)


@dataclass(frozen=True)
class Reading:
    """Result of decoding the tokens of a page."""

    tier: str
    #: uint32[rows, columns]: decoded grid; values as in `foxing.renderer.Page`, or `UNREADABLE`.
    cells: Cells
    #: float32[rows, columns] in [0, 1]: probability that each cell is right; 1 for gaps, which are known losses.
    confidence: npt.NDArray[np.float32]
    #: Threshold of the tier: cells with a lower confidence count as uncertain.
    flag_below: float

    @property
    def text(self) -> str:
        """Text of the page in reading order, headers and marks included."""
        return grid_text(self.cells)

    @property
    def gap(self) -> npt.NDArray[np.bool_]:
        """bool[rows, columns]: cells of gaps."""
        gap: npt.NDArray[np.bool_] = self.cells == ord(GAP_MARK)
        return gap

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the cells that are neither blank nor a gap; 1 if there are none."""
        used = self._used
        return float(self.confidence[used].mean()) if used.any() else 1.0

    @property
    def unread(self) -> bool:
        """True if the page could not be read: it is empty, or more than `UNREAD_SHARE` of the characters outside gaps
        are unreadable (noise, another font, a page laid out for another codec). Its text is then meaningless."""
        used = self._used & (self.cells != WIDE_TAIL)
        if not used.any():
            return not self.gap.any()
        return float((self.cells[used] == UNREADABLE).mean()) > UNREAD_SHARE

    @property
    def _used(self) -> npt.NDArray[np.bool_]:
        used: npt.NDArray[np.bool_] = (self.cells != BLANK) & (self.cells != 0x20) & ~self.gap
        return used


class Codec(Protocol):
    """Encoder–decoder for page images. Thread-safe."""

    #: Name under which it is registered in `CODECS`.
    name: str
    #: Digest of the weights. Tokens written by other weights are rejected.
    weights: str
    #: Layout of the pages that it encodes.
    layout: PageLayout
    #: Tiers by name, sharpest first.
    tiers: Mapping[str, TierSpec]
    #: Receptive field of the decoder, in grid rows above and below a row: with this margin, the result of
    #: `VisionTokens.crop` decodes as it does within the page. None if pages can only be decoded whole.
    context_rows: int | None

    @property
    def repertoire(self) -> Repertoire | None:
        """Characters that it can decode; others are typeset as escapes. None: every character with a glyph."""

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """Encodes page images; returns one `VisionTokens` per image.

        `images`: mode "L" or convertible to it, as wide as the tier's side and a multiple of 64 px high; 255 is paper,
        0 ink. Raises `CodecError` for an image of another size or a tier that the codec lacks.
        """
        ...

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """Decodes vision tokens; returns one `Reading` per item. Tiers may be mixed. If only the head of a page is
        requested (see `VisionTokens.head`), its reading may end there. Raises `TokensError` for tokens of another
        codec, other weights or an unknown shape."""
        ...


def token_grid(codec: Codec, layout: PageLayout, rows_used: int, tier: str) -> tuple[int, int]:
    """Returns the rows and columns of the vision tokens of a page of `layout` that uses `rows_used` rows.

    If the layout is not cropped, they are those of the codec's tier, whose tokens need not cover 64×64 px. For a stream
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
    """Returns the bytes of the vision tokens of a page of `layout` that uses `rows_used` rows, header included; an
    estimate if their size is variable."""
    rows, columns = token_grid(codec, layout, rows_used, tier)
    spec = codec.tiers[tier]
    shape = (rows, columns, numbers_in(spec.dtype, spec.bytes_per_token))
    stream = spec.dtype == STREAM
    size = _stream_bytes(spec, layout, rows_used) if stream else rows * columns * spec.bytes_per_token
    return len(VisionTokens(codec.name, codec.weights, tier, shape, spec.dtype, b"\0" * size).to_bytes())


def _stream_bytes(spec: TierSpec, layout: PageLayout, rows_used: int) -> int:
    """Returns the estimated bytes of the stream of a page that uses `rows_used` rows: its share of `FULL_PAGE_BYTES`,
    limited by the capacity of the tier."""
    return min(spec.bytes_per_page, max(1, FULL_PAGE_BYTES * rows_used // layout.rows))


def can_draw_for(codec: Codec, layout: PageLayout) -> bool:
    """Returns whether the codec can encode pages of `layout`: the grids and `cropped` are equal."""
    own = codec.layout
    return (layout.columns, layout.rows, layout.cropped) == (own.columns, own.rows, own.cropped)
