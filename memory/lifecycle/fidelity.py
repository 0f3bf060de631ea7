"""Whether new tokens say what a page says: what is written anew must not lose by it."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.encoder import UNREADABLE, Codec, Reading, VisionTokens, capabilities_of
from foxing.memory.pages.decoder import PageDecoder
from foxing.renderer import BLANK, WIDE_TAIL, Cells

MOST_LOST = 0.03  # of a page's characters, where it is to be written anew faithfully


def lost(grid: Cells, reading: Reading) -> float:
    """Share of the characters of `grid` that `reading` has otherwise; those that were not read either do not count."""
    rows = min(len(grid), len(reading.cells))
    inked = _inked(grid) & (grid != UNREADABLE)
    kept = inked[:rows] & (grid[:rows] == reading.cells[:rows])
    return 1 - float(kept.sum()) / float(inked.sum()) if inked.any() else 0.0


def unread_share(grid: Cells) -> float:
    """Share of the characters of `grid` that are not read."""
    inked = _inked(grid)
    return float((grid[inked] == UNREADABLE).mean()) if inked.any() else 0.0


def unseen_share(grid: Cells, reading: Reading) -> float:
    """Share of the characters of `grid` for which `reading` has nothing: no character, or none that it is sure of being
    blank."""
    rows = min(len(grid), len(reading.cells))
    inked = _inked(grid)
    read = reading.cells[:rows]
    doubtful = ~_inked(read) & (read != WIDE_TAIL) & (reading.confidence[:rows] < reading.flag_below)
    nothing = np.ones_like(inked)
    nothing[:rows] = (read == UNREADABLE) | doubtful
    return float(nothing[inked].mean()) if inked.any() else 0.0


def nothing_read(tier: str) -> str:
    """Why a page stays as it is."""
    return f"its tokens at '{tier}' read as nothing now, and neither text nor sharper tokens are given up for that"


def too_little(share: float) -> str:
    """Why a page stays as it is."""
    return f"{share:.0%} of this page cannot be read now, which writing it anew would make last; it stays"


def _inked(grid: Cells) -> npt.NDArray[np.bool_]:
    inked: npt.NDArray[np.bool_] = (grid != BLANK) & (grid != 0x20) & (grid != WIDE_TAIL)
    return inked


def roomier(decoder: PageDecoder, image: Image, tier: str, grid: Cells) -> tuple[VisionTokens, Reading] | None:
    """The smallest tokens larger than usual that read as `grid` does, and what they read as; None where no size does.
    `image`: the grid as `tier` shows it."""
    for codec in _larger(decoder.load(), tier):
        tokens = codec.encode([image], tier)[0]
        reading = decoder.read_tokens([tokens])[0]
        if isinstance(reading, Reading) and lost(grid, reading) <= MOST_LOST:
            return tokens, reading
    return None


def too_much(share: float, tier: str) -> str:
    """Why a page stays as it is."""
    return f"written anew at '{tier}' this page would lose {share:.0%} of its characters, and stays"


def _larger(codec: Codec, tier: str) -> Iterator[Codec]:
    resizable = capabilities_of(codec).resizable
    if resizable is not None:
        for size in sorted(resizable.sizes[tier]):
            if size > codec.tiers[tier].bytes_per_token:
                yield resizable.sized({tier: size})
