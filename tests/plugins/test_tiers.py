"""A tier that a package adds, and a codec that serves it: two declarations, and the memory holds pages at it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import ImageOps
from PIL.Image import Image
from support.hooked_codec import HookedCodec
from support.plugins import InstallPlugin

from foxing.encoder import CODECS, CodecOptions, CodecPlugin, Reading, TierSpec, VisionTokens
from foxing.memory import InvalidPolicy, Memory, Policy
from foxing.renderer import LayoutError, Tier, all_tiers, tier_rank
from foxing.renderer.tiers import ADDED_TIERS, TOKEN_SIDE_PX, tier_named

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
SHARP = Tier("sharp", 2560)


class SharpCodec(HookedCodec):
    """Serves one more tier: the native codec reads its images at half their size."""

    def __init__(self) -> None:
        super().__init__()
        large = self.codec.tiers["large"]
        spec = replace(large, name=SHARP.name, side_px=SHARP.side_px, tokens=SHARP.tokens)
        self.tiers: Mapping[str, TierSpec] = {SHARP.name: spec, **self.codec.tiers}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        if tier != SHARP.name:
            return super().encode(images, tier)
        halves = [_half(image) for image in images]
        return [replace(tokens, tier=tier) for tokens in super().encode(halves, "large")]

    def _decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        known = [replace(item, tier="large") if item.tier == SHARP.name else item for item in tokens]
        read = super()._decode(known)
        return [replace(reading, tier=item.tier) for reading, item in zip(read, tokens, strict=True)]


def _half(image: Image) -> Image:
    """The image at half its size, with paper below it up to whole tokens."""
    half = image.resize((image.width // 2, image.height // 2))
    return ImageOps.pad(
        half, (half.width, -(-half.height // TOKEN_SIDE_PX) * TOKEN_SIDE_PX), color=255, centering=(0, 0)
    )


@pytest.fixture
def sharp(install_plugin: InstallPlugin) -> None:
    """Installs the tier and the codec."""
    install_plugin(ADDED_TIERS, SHARP.name, SHARP)
    plugin = CodecPlugin("sharp-native", "For tests.", lambda device, options: SharpCodec(), CodecOptions)
    install_plugin(CODECS, plugin.name, plugin)


@pytest.mark.usefixtures("sharp")
def test_a_memory_holds_pages_at_a_tier_that_a_package_adds(tmp_path: Path) -> None:
    now = NOW
    with Memory(f"sqlite:///{tmp_path}/foxing.db", codec="sharp-native", device="cpu", clock=lambda: now) as memory:
        memory.set_policy("ana", {"fresh": "sharp", "steps": [{"after": "P7D", "tier": "small"}], "keep_text": "fresh"})
        said = "The blue boat leaves Lisbon on 3 May from pier 14."
        memory.store("ana", [{"role": "user", "content": said, "created_at": NOW}])
        memory.seal("ana")
        (page,) = memory.pages("ana", tier="sharp").pages
        assert page.tier == "sharp"
        assert said in memory.read_page("ana", page.id).text
        now = NOW + timedelta(days=8)
        (moved,) = memory.age("ana").moved
        assert (moved.from_tier, moved.to_tier) == ("sharp", "small")
        assert memory.recall("ana", "Lisbon").spans[0].text == said


@pytest.mark.usefixtures("sharp")
def test_every_list_of_tiers_has_a_tier_that_a_package_adds() -> None:
    assert list(all_tiers()) == ["sharp", "large", "base", "small", "tiny", "micro"]
    assert tier_rank("sharp") < tier_rank("large")
    assert Policy(fresh="sharp", keep_text="until:base").keeps_text("large")
    schema = Policy.model_json_schema()["properties"]
    assert schema["fresh"]["enum"][0] == "sharp"
    assert "until:sharp" in schema["keep_text"]["enum"]


def test_an_unknown_tier_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LayoutError, match="unknown tier 'sharp'; use one of large, base"):
        tier_named("sharp")
    with pytest.raises(InvalidPolicy, match="there is no such tier; choose one of 'large', 'base'"):
        Policy.parse({"fresh": "sharp"})
    with pytest.raises(InvalidPolicy, match="keep_text must be"):
        Policy.parse({"keep_text": "until:sharp"})


@pytest.mark.parametrize(
    ("tier", "reason"),
    [
        (Tier("base", 2560), "has a tier 'base'"),
        (Tier("twin", 640), "one of 640 px"),
        (Tier("odd", 700), "use a side of 64, 128"),
        (Tier("other", 2560), "give both the same name"),
        ("sharp", "not a foxing.renderer.Tier"),
    ],
)
def test_a_tier_that_cannot_be_used_is_named_with_the_reason(
    install_plugin: InstallPlugin, tier: Tier | str, reason: str
) -> None:
    name = tier.name if isinstance(tier, Tier) and tier.name != "other" else "sharp"
    install_plugin(ADDED_TIERS, name, tier)
    assert [broken.name for broken in ADDED_TIERS.broken()] == [name]
    assert reason in ADDED_TIERS.broken()[0].reason
