"""The native codec with hooks, for tests that act in the middle of its work."""

from collections.abc import Callable, Sequence

from PIL.Image import Image

from foxing.encoder import Reading, VisionTokens, load_codec


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
