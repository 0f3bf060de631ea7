"""What a codec offers beyond the contract is declared, found in one place, and checked by the conformance suite."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from foxing.encoder import CodecError, VisionTokens, load_codec
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.conformance import capabilities_do_what_they_say, streams_are_as_long_as_their_page
from foxing.encoder.native.codec import NativeCodec
from foxing.renderer import render
from foxing.renderer.page import Cells


class Delegate:
    """The native codec behind another class, which adds nothing to the contract by itself."""

    def __init__(self) -> None:
        self.codec: Any = load_codec("native", "cpu")
        self.name, self.weights, self.layout = self.codec.name, self.codec.weights, self.codec.layout
        self.repertoire, self.tiers = self.codec.repertoire, self.codec.tiers
        self.context_rows = self.codec.context_rows

    def encode(self, images: Any, tier: str) -> Any:
        return self.codec.encode(images, tier)

    def decode(self, tokens: Any) -> Any:
        return self.codec.decode(tokens)


class Mute(Delegate):
    """Says that it describes itself, and says nothing."""

    def runs_on(self) -> Mapping[str, str]:
        return {}


class Costed(Delegate):
    """Spreads the bytes of a page over its cells, `factor` times."""

    def __init__(self, factor: float = 1) -> None:
        super().__init__()
        self.factor = factor

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        if tier not in self.tiers:
            raise CodecError(f"no tier '{tier}'")
        taken = len(self.encode([render(cells, self.layout, tier)], tier)[0].data)
        return np.full(cells.shape, self.factor * 8 * taken / cells.size, dtype=np.float32)


def test_a_codec_offers_what_its_members_declare() -> None:
    native = load_codec("native", "cpu")
    found = capabilities_of(native)
    assert found.describable is native
    assert (found.downscalable, found.remote) == (None, None)
    assert capabilities_of(Delegate()) == type(found)()


def test_asking_what_a_codec_offers_loads_no_glyphs() -> None:
    codec = NativeCodec.load(device="cpu")
    assert capabilities_of(codec).describable is codec
    assert "repertoire" not in vars(codec)


def test_conformance_finds_a_capability_that_is_not_there() -> None:
    capabilities_do_what_they_say(Delegate())
    with pytest.raises(AssertionError):
        capabilities_do_what_they_say(Mute())


@pytest.mark.slow
def test_conformance_finds_costs_that_do_not_add_up() -> None:
    assert capabilities_of(Costed()).costable is not None
    capabilities_do_what_they_say(Costed())
    for factor, reason in ((3, "add up to 3.00"), (-1, "negative or not finite")):
        with pytest.raises(AssertionError, match=reason):
            capabilities_do_what_they_say(Costed(factor))


class Sized(Delegate):
    """Writes streams of `size(height)` bytes for an image of that height."""

    def __init__(self, size: Callable[[int], int], token_bytes: int = 48) -> None:
        super().__init__()
        self.size, self.token_bytes = size, token_bytes

    def encode(self, images: Any, tier: str) -> list[VisionTokens]:
        pages = [bytes(self.size(image.height * 1280 // self.tiers[tier].side_px)) for image in images]
        return [
            VisionTokens(
                self.name, self.weights, tier, (1, -(-len(page) // self.token_bytes), self.token_bytes), "stream", page
            )
            for page in pages
        ]


def test_conformance_finds_a_stream_that_is_padded_or_too_long() -> None:
    streams_are_as_long_as_their_page(Sized(lambda height: height // 2))
    for wrong, reason in (
        (Sized(lambda height: 1200), "as a full one"),
        (Sized(lambda height: 48 * 64 + height // 2), "at most 64"),
        (Sized(lambda height: height // 2, token_bytes=64), "bytes per token"),
    ):
        with pytest.raises(AssertionError, match=reason):
            streams_are_as_long_as_their_page(wrong)
