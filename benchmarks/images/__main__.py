"""Measures images in messages: bytes and billed tokens by tier.

python -m benchmarks.images --images 500
"""

from collections.abc import Iterable
from statistics import mean
from typing import Any

from foxing.memory import Policy
from foxing.memory.images.decoding import scaled
from foxing.memory.images.files import ImageFile
from foxing.renderer.readers import Readers
from foxing.renderer.tiers import tier_named

from ..command_line import command, write_json
from .pictures import KINDS, Made, made_images

TIERS = ("base", "small", "tiny", "micro")
READERS = ("claude", "gpt-5", "gemini-2")


def by_tier(images: Iterable[Made]) -> dict[str, Any]:
    """Returns, for each tier and kind, the mean bytes and billed tokens of images; each is made from the one before."""
    policy, readers = Policy(), Readers()
    known = [name for name in READERS if name in readers]
    tiers = ("as it came", *TIERS)
    rows: dict[str, dict[str, list[dict[str, float]]]] = {tier: {kind: [] for kind in KINDS} for tier in tiers}
    larger = number = 0
    for image in images:
        number += 1
        file = ImageFile.read(image.content)
        for tier in rows:
            before = len(file.content)
            if tier != "as it came":
                side = policy.image_side(tier)
                assert side is not None
                came = not policy.encodes_images(tier)
                file = scaled(file, side, as_it_came=came, legible=tier_named(tier).legible_images)
            larger += len(file.content) > before
            tokens = {}
            for name in known:
                billing = readers[name].billing
                assert billing is not None
                tokens[name] = billing.tokens(file.width_px, file.height_px)
            rows[tier][image.kind].append({"bytes": len(file.content), **tokens})
    means = {
        tier: {
            kind: {key: round(mean(row[key] for row in found)) for key in found[0]}
            for kind, found in (*kinds.items(), ("all", [row for of_kind in kinds.values() for row in of_kind]))
            if found
        }
        for tier, kinds in rows.items()
    }
    return {"images": number, "larger_than_before": larger, "means": means}


def main() -> None:
    """Runs the measurements."""
    options = command("images", __doc__.splitlines()[0], ("images", len(KINDS), 500, "Images")).parse_args()
    write_json(by_tier(made_images(options.images)))


if __name__ == "__main__":
    main()
