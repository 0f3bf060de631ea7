"""How much of a page new tokens preserve, and finding tokens large enough to preserve it."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.encoder import UNREADABLE, Codec, Reading, VisionTokens, capabilities_of
from foxing.memory.pages.decoder import PageDecoder
from foxing.renderer import BLANK, WIDE_TAIL, Cells

MAX_CHARACTER_LOSS = 0.03  # share of a page's characters that rewriting it may change


def character_loss(grid: Cells, reading: Reading) -> float:
    """Share of the readable characters of `grid`, uint32[rows, columns], that `reading` has otherwise; 0 to 1."""
    rows = min(len(grid), len(reading.cells))
    readable = _inked(grid) & (grid != UNREADABLE)
    same = readable[:rows] & (grid[:rows] == reading.cells[:rows])
    return 1 - float(same.sum()) / float(readable.sum()) if readable.any() else 0.0


def unreadable_share(grid: Cells) -> float:
    """Share of the characters of `grid`, uint32[rows, columns], that are marked as unreadable; 0 to 1."""
    inked = _inked(grid)
    return float((grid[inked] == UNREADABLE).mean()) if inked.any() else 0.0


def missing_share(grid: Cells, reading: Reading) -> float:
    """Share of the characters of `grid`, uint32[rows, columns], that `reading` does not have; 0 to 1. A character is
    missing if its cell is unreadable, or blank with a confidence below the threshold."""
    rows = min(len(grid), len(reading.cells))
    inked = _inked(grid)
    read = reading.cells[:rows]
    doubtful_blank = ~_inked(read) & (read != WIDE_TAIL) & (reading.confidence[:rows] < reading.flag_below)
    missing = np.ones_like(inked)
    missing[:rows] = (read == UNREADABLE) | doubtful_blank
    return float(missing[inked].mean()) if inked.any() else 0.0


def encode_larger(decoder: PageDecoder, image: Image, tier: str, grid: Cells) -> tuple[VisionTokens, Reading] | None:
    """The smallest tokens above the default size that preserve `grid`, and their reading; None if no size does.

    `image`: `grid`, uint32[rows, columns], drawn at `tier`.
    """
    for codec in _larger_sizes(decoder.load(), tier):
        tokens = codec.encode([image], tier)[0]
        reading = decoder.read_tokens([tokens])[0]
        if isinstance(reading, Reading) and character_loss(grid, reading) <= MAX_CHARACTER_LOSS:
            return tokens, reading
    return None


def _inked(grid: Cells) -> npt.NDArray[np.bool_]:
    inked: npt.NDArray[np.bool_] = (grid != BLANK) & (grid != 0x20) & (grid != WIDE_TAIL)
    return inked


def _larger_sizes(codec: Codec, tier: str) -> Iterator[Codec]:
    """`codec` writing larger tokens at `tier`, smallest first."""
    resizable = capabilities_of(codec).resizable
    if resizable is not None:
        for size in sorted(resizable.sizes[tier]):
            if size > codec.tiers[tier].bytes_per_token:
                yield resizable.sized({tier: size})
