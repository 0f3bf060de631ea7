"""Whether new tokens say what a page says: what is written anew must not lose by it."""

from collections.abc import Iterator

from PIL.Image import Image

from foxing.encoder import Codec, Reading, ResizableCodec, VisionTokens
from foxing.renderer import BLANK, WIDE_TAIL, Cells

from .decoding import PageDecoder

MOST_LOST = 0.03  # of a page's characters, where it is to be written anew faithfully


def lost(grid: Cells, reading: Reading) -> float:
    """Share of the characters of `grid` that `reading` has otherwise."""
    rows = min(len(grid), len(reading.cells))
    inked = (grid != BLANK) & (grid != 0x20) & (grid != WIDE_TAIL)
    kept = inked[:rows] & (grid[:rows] == reading.cells[:rows])
    return 1 - float(kept.sum()) / float(inked.sum()) if inked.any() else 0.0


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
    if isinstance(codec, ResizableCodec):
        for size in sorted(codec.sizes[tier]):
            if size > codec.tiers[tier].bytes_per_token:
                yield codec.sized({tier: size})
