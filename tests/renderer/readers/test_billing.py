"""What providers bill for images: their published examples, and sizes that others measured."""

import pytest

from foxing.renderer.readers import Area, Crops, Flat, Modes, Patches, Reader, Tiles, packaged_readers

READERS = packaged_readers()


def billed(reader: str, width: int, height: int) -> int:
    billing = READERS[reader].billing
    assert billing is not None
    return billing.tokens(width, height)


@pytest.mark.parametrize(
    ("reader", "width", "height", "tokens"),
    [
        # measured by the count of input tokens less that of the text beside the image (image-token-cost)
        ("claude", 256, 256, 100),
        ("claude", 512, 512, 361),
        ("claude", 768, 768, 784),
        ("claude", 1024, 1024, 1369),
        ("claude", 1280, 720, 1196),
        ("claude-high-resolution", 1024, 1024, 1369),
        ("claude-high-resolution", 1920, 1080, 2691),
        ("gpt-6", 256, 256, 77),
        ("gpt-6", 512, 512, 308),
        ("gpt-6", 768, 768, 692),
        ("gpt-6", 1024, 1024, 1229),
        ("gpt-6", 1920, 1080, 2448),
        ("gpt-6", 2560, 1440, 2931),
        ("gpt-6", 3840, 2160, 2931),
        ("gpt-6", 4032, 3024, 2942),
        # OpenAI's guide to images
        ("gpt-4o", 1024, 1024, 765),
        ("gpt-4o", 2048, 4096, 1105),
        ("gpt-5-mini", 1024, 1024, 1659),  # 1,024 patches · 1.62
        ("gpt-5-mini", 1800, 2400, 2353),  # 1,452 patches · 1.62
        ("gpt-5-nano", 1800, 2400, 3572),
        ("o4-mini", 1024, 1024, 1762),
        # Google's guide to images
        ("gemini-2", 384, 384, 258),
        ("gemini-2", 960, 540, 6 * 258),
        ("gemini-3", 640, 480, 1120),
        # measured by pxpipe
        ("claude-fable-5", 1568, 728, 1456),
        ("gemini-3.6-flash", 1568, 728, 1078),
        ("gemini-3.6-flash", 1568, 720, 1120),
        ("grok-4", 768, 336, 259),
        ("grok-4", 764, 980, 749),
        ("gpt-5.6-sol", 768, 1944, 1464),
        # the modes of DeepSeek-OCR's paper
        ("deepseek-ocr", 512, 512, 64),
        ("deepseek-ocr", 640, 400, 100),
        ("deepseek-ocr", 1024, 1024, 256),
        ("deepseek-ocr", 3000, 1024, 400),
        # 28 px and 32 px patches of the model cards
        ("qwen2.5-vl", 280, 560, 200),
        ("qwen3-vl", 320, 640, 200),
    ],
)
def test_published_and_measured_examples(reader: str, width: int, height: int, tokens: int) -> None:
    assert billed(reader, width, height) == tokens


@pytest.mark.parametrize(
    "reader", [reader for reader in READERS.values() if reader.accepts_images], ids=lambda each: each.name
)
def test_a_formula_holds_for_every_size(reader: Reader) -> None:
    billing = reader.billing
    assert billing is not None
    for width in (1, 27, 28, 333, 1568, 5000, 8192):
        for height in (1, 29, 1000, 8192):
            seen = billing.scaled_size(width, height)
            assert billing.tokens(width, height) >= 1
            assert min(seen) >= 1
            assert seen[0] <= width
            assert seen[1] <= height
            assert billing.scaled_size(*seen) == seen
            assert billing.tokens(*seen) == billing.tokens(width, height)
    assert reader.billing_date is not None
    assert reader.billing_source


def test_no_image_has_more_patches_than_allowed() -> None:
    billing = Patches(side=32, max_side_px=8192, max_patches=100)
    sizes = [(8192, 1), (1, 8192), (3000, 40), (8192, 8192)]
    assert all(billing.tokens(*size) <= 100 for size in sizes)


def test_formulas_in_words() -> None:
    assert Patches(side=28, max_side_px=1568, max_patches=1568).in_words() == (
        "⌈width/28⌉ · ⌈height/28⌉, up to 1,568 px a side and 1,568 patches"
    )
    assert "· 1.62" in Patches(side=32, max_side_px=2048, max_patches=1536, multiplier=1.62).in_words()
    assert Flat(per_image=1120).in_words() == "1,120 for each image"
    measured = Flat.model_validate({"per_image": 9, "measured": [{"width_px": 3, "height_px": 2, "tokens": 8}]})
    assert measured.in_words() == "9 for each image; 8 at 3 × 2 px"
    assert Area(per_megapixel=1000, max_side_px=768).in_words() == "1,000 for a million px, up to 768 px a side"
    tiles = Tiles(fit_px=2048, short_side_px=768, tile_px=512, base=85, per_tile=170)
    assert tiles.in_words().startswith("85 + 170 for each tile of 512 px")
    crops = Crops(small_px=384, min_crop_px=256, max_crop_px=768, per_crop=258)
    assert crops.in_words().startswith("258 for each crop")
    assert Modes.model_validate({"modes": [{"side_px": 512, "tokens": 64}]}).in_words() == "64 up to 512 px a side"
