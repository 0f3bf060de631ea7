"""Accuracy on held-out pages."""

from rapidfuzz.distance import Levenshtein

from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.renderer import Page

from .synthetic_pages import TINY_PAGE, PageGenerator, draw, page_text

HELD_OUT_SEED = 1_000_003  # of pages that training never draws


def held_out_pages(tier: str, count: int) -> list[Page]:
    """Returns the first `count` held-out pages of `tier`."""
    generator = PageGenerator(HELD_OUT_SEED + list(DeepSeekOcr.tiers).index(tier))
    return [generator.page() for _ in range(count)]


def accuracies(model: DeepSeekOcr, count: int) -> dict[str, float]:
    """Returns, by tier, 1 − Levenshtein distance / longer length over the characters of `count` held-out pages decoded
    from their tokens."""
    codec = VisionCodec(model, "0" * 12, layout=TINY_PAGE)
    pages = {tier: held_out_pages(tier, count) for tier in model.tiers}
    tokens = [item for tier in pages for item in codec.encode([draw(page, tier) for page in pages[tier]], tier)]
    texts = iter([page_text(reading.cells) for reading in codec.decode(tokens)])
    report = {}
    for tier, tier_pages in pages.items():
        pairs = [(page_text(page.cells), next(texts)) for page in tier_pages]
        distance = sum(Levenshtein.distance(*pair) for pair in pairs)
        report[tier] = round(1 - distance / sum(max(map(len, pair)) for pair in pairs), 4)
    return report
