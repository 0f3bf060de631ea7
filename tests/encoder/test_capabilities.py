"""What a codec offers beyond the contract is declared, found in one place, and checked by the conformance suite."""

from collections.abc import Mapping
from typing import Any

import pytest

from foxing.encoder import Codec, capabilities_of, load_codec
from foxing.encoder.conformance import capabilities_do_what_they_say


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


class WronglySized(Delegate):
    """Says that it can write several sizes, and writes one."""

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        return {tier: (spec.bytes_per_token, 7) for tier, spec in self.tiers.items()}

    def sized(self, token_bytes: Mapping[str, int]) -> Codec:
        return self


class Mute(Delegate):
    """Says that it describes itself, and says nothing."""

    def runs_on(self) -> Mapping[str, str]:
        return {}


def test_a_codec_offers_what_its_members_declare() -> None:
    native = load_codec("native", "cpu")
    found = capabilities_of(native)
    assert found.describable is native
    assert found.resizable is native
    assert (found.quantizable, found.downscalable, found.remote) == (None, None, None)
    assert capabilities_of(Delegate()) == type(found)()


@pytest.mark.parametrize("codec", [WronglySized, Mute])
def test_conformance_finds_a_capability_that_is_not_there(codec: type[Delegate]) -> None:
    capabilities_do_what_they_say(Delegate())
    with pytest.raises(AssertionError):
        capabilities_do_what_they_say(codec())
