"""The native codec with hooks, for tests that act in the middle of its work."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.encoder import Reading, VisionTokens, load_codec
from foxing.renderer.page import Cells
from foxing.renderer.typeset import code_points


def _nothing() -> None:
    pass


def _as_read(tokens: VisionTokens, reading: Reading) -> Reading:
    return reading


class HookedCodec:
    """Calls `before_encode` and `before_decode` before the native codec, and `alter` on what it reads. `encoded`:
    images in each call of `encode`; `batches`: token sequences in each call of `decode`."""

    def __init__(
        self,
        before_encode: Callable[[], object] = _nothing,
        before_decode: Callable[[], object] = _nothing,
        alter: Callable[[VisionTokens, Reading], Reading] = _as_read,
    ) -> None:
        codec = load_codec("native", "cpu")
        self.codec = codec
        self.name, self.weights, self.layout = codec.name, codec.weights, codec.layout
        self.repertoire, self.tiers, self.context_rows = codec.repertoire, codec.tiers, codec.context_rows
        self.before_encode = before_encode
        self.before_decode = before_decode
        self.alter = alter
        self.encoded: list[int] = []
        self.batches: list[int] = []

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        self.encoded.append(len(images))
        self.before_encode()
        return self.codec.encode(images, tier)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        self.batches.append(len(tokens))
        self.before_decode()
        return [self.alter(*pair) for pair in zip(tokens, self._decode(tokens), strict=True)]

    def _decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return self.codec.decode(tokens)


class CostedCodec(HookedCodec):
    """The same with the costs of the native codec, so that pages are read back when they fade."""

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        return self.codec.cost(cells, tier)


def misreading(word: str, *tiers: str) -> Callable[[VisionTokens, Reading], Reading]:
    """Returns a hook that misreads the first letter of each `word` at `tiers`, or at all of them."""
    points = code_points(word).tobytes()

    def alter(tokens: VisionTokens, reading: Reading) -> Reading:
        cells = reading.cells.copy()
        while not tiers or tokens.tier in tiers:
            place = cells.tobytes().find(points) // 4
            if place < 0:
                break
            cells.reshape(-1)[place] = ord("#")
        return replace(reading, cells=cells)

    return alter
