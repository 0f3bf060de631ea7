"""The benchmark of images in messages."""

import io

import pytest
from PIL import Image

from benchmarks.images.__main__ import TIERS, by_tier
from benchmarks.images.pictures import KINDS, made_images


@pytest.mark.slow
def test_images_of_every_kind_get_smaller_from_tier_to_tier() -> None:
    images = list(made_images(3))
    assert [image.kind for image in images] == list(KINDS)
    assert all(min(Image.open(io.BytesIO(image.content)).size) > 300 for image in images)
    found = by_tier(images)
    assert (found["images"], found["larger_than_before"]) == (3, 0)
    sizes = [found["means"][tier]["all"]["bytes"] for tier in TIERS]
    assert sizes == sorted(sizes, reverse=True)
