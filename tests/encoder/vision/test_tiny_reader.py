"""A bank over the tiny reader: stored, aged and recalled from vision tokens alone.

The weights in `data/tiny-reader` were trained once; docs/LOG.md has the commit, the command and the learning
curve. The pages here come from a seed that training never uses.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein
from support.synthetic_pages import TINY_PAGE, PageGenerator, draw, page_text

from foxing.api.memory_factory import open_memory
from foxing.api.settings import load_settings
from foxing.encoder import load_codec
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.memory import Memory
from foxing.renderer import Entry, Typesetter

WEIGHTS = Path(__file__).parent / "data" / "tiny-reader"
BANK = "ana"
SEED = 77_000_005  # whose messages contain no identifier that would be kept as text
QUERY, ANSWER = "children in the forest", "m09"
START = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
MESSAGES = 10
#: Scripts absent from the training pages.
FOREIGN = ("편지는 창가 책상 위에 있다", "手紙は窓辺の机の上にある", "Письмо лежит на столе у окна")


def accuracy(pairs: list[tuple[str, str]]) -> float:
    """1 − Levenshtein distance / longer length, summed over pairs of texts."""
    distance = sum(Levenshtein.distance(*pair) for pair in pairs)
    return 1 - distance / sum(max(map(len, pair)) for pair in pairs)


def messages() -> list[dict[str, Any]]:
    generator = PageGenerator(SEED)
    return [
        {
            "id": f"m{number:02d}",
            "thread": "main",
            "role": ("user", "assistant")[number % 2],
            "content": generator.text(),
            "created_at": START + timedelta(minutes=3 * number),
        }
        for number in range(MESSAGES)
    ]


@pytest.fixture(scope="module")
def codec() -> VisionCodec:
    codec = load_codec("deepseek-ocr", "cpu", options={"model": str(WEIGHTS)})
    assert isinstance(codec, VisionCodec)
    return codec


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Memory]:
    """A memory configured through the environment."""
    monkeypatch.setenv("FOXING_CODEC", "deepseek-ocr")
    monkeypatch.setenv("FOXING_CODECS__DEEPSEEK_OCR__MODEL", str(WEIGHTS))
    monkeypatch.setenv("FOXING_DEVICE", "cpu")
    monkeypatch.setenv("FOXING_DATABASE_URL", str(database_url))
    monkeypatch.setenv("FOXING_EMBEDDER", "none")
    with open_memory(load_settings()) as opened:
        opened.set_policy(BANK, {"age_from": "message"})  # the messages are older than the test
        yield opened


@pytest.mark.slow
def test_a_bank_is_recalled_at_every_tier_from_tokens_alone(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    originals = messages()
    memory.store(BANK, originals)
    memory.seal(BANK, now=START + timedelta(hours=2))
    entries = [Entry(m["id"], m["role"], m["content"], m["created_at"], m["thread"]) for m in originals]
    texts = [page_text(page.cells) for page in Typesetter(TINY_PAGE).pages(entries)]
    ids = [page.id for page in sorted(memory.pages(BANK).pages, key=lambda page: page.first_at)]
    contents = {m["id"]: m["content"] for m in originals}

    def encoder(*_: Any) -> Any:
        raise AssertionError("the encoder ran although tokens are stored")

    with monkeypatch.context() as patched:
        patched.setattr(DeepSeekOcr, "image_features", encoder)
        readings = memory.codec.decode([memory.page_tokens(BANK, page_id) for page_id in ids])
    assert {reading.tier for reading in readings} == {"base"}
    assert accuracy(list(zip(texts, [page_text(reading.cells) for reading in readings], strict=True))) >= 0.90

    for days, tier, moved in ((8, "small", 5), (40, "tiny", 4)):  # of one, more than 5 % is misread by then
        now = START + timedelta(days=days, hours=3)
        report = memory.tick(now=now)
        assert (report.moved_pages, report.failed_banks) == (moved, {})
        pages = memory.pages(BANK).pages
        assert [page.tier for page in pages].count(tier) == moved
        assert {page.vision_tokens for page in pages} <= {100, 64}
        assert {(page.text_kept, page.keepsakes) for page in pages} == {(False, 0)}, "no text and no identifiers"
        with monkeypatch.context() as patched:
            patched.setattr(DeepSeekOcr, "image_features", encoder)
            window = memory.recall(BANK, since=START, until=START + timedelta(days=1), now=now, limit=100).spans
            hits = memory.recall(BANK, QUERY, now=now, limit=3).spans
        assert {span.source for span in window} == {"decoded"}
        assert [span.message_id for span in window] == [m["id"] for m in originals]
        assert accuracy([(contents[span.message_id], span.text) for span in window]) >= 0.90
        assert hits[0].message_id == ANSWER


def noise(tier: str) -> list[Image.Image]:
    """Images that are not pages, unlike those in training: two-valued noise, stripes and a gradient."""
    side = TINY_PAGE.side_px(tier)
    random = np.random.default_rng(3)
    grains = np.where(random.random((side, side)) < 0.2, 0, 255)
    stripes = np.broadcast_to((np.arange(side) // 11 % 2 * 255)[:, None], (side, side))
    gradient = np.add.outer(np.arange(side), np.arange(side)) * 127 // side
    return [Image.fromarray(np.ascontiguousarray(values, dtype=np.uint8)) for values in (grains, stripes, gradient)]


@pytest.mark.slow
@pytest.mark.parametrize("tier", [*(pytest.param(tier, marks=pytest.mark.slow) for tier in ("base", "small")), "tiny"])
def test_images_that_are_not_pages_read_with_low_confidence(codec: VisionCodec, tier: str) -> None:
    for reading in codec.decode(codec.encode(noise(tier), tier)):
        used = reading.cells > 0x20
        sure = used & (reading.confidence >= reading.flag_below)
        assert reading.unread or sure.sum() <= max(4, 0.2 * used.sum())


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["base", "small", "tiny"])
def test_unknown_scripts_read_with_less_confidence_than_any_page(codec: VisionCodec, tier: str) -> None:
    """The model generates known words for scripts absent from its training, most with low confidence. Cyrillic letters
    resemble Latin ones, so it misreads them with a confidence that a threshold would not catch."""
    generator = PageGenerator(SEED + 1)
    pages = [generator.page() for _ in range(4)]
    for words in FOREIGN:
        entry = Entry("0", "user", "\n".join([words] * 4), START, "main")
        pages.append(Typesetter(TINY_PAGE).page([entry]))
    readings = codec.decode(codec.encode([draw(page, tier) for page in pages], tier))
    means = [0.0 if reading.unread else reading.mean_confidence for reading in readings]
    assert max(means[4:]) < min(means[:4])
    assert max(means[4:6]) < 0.75
    for page, reading in zip(pages[4:6], readings[4:6], strict=True):
        body = slice(page.placements[0].start, page.placements[0].stop)
        written = reading.cells.reshape(-1)[body] > 0x20
        sure = written & (reading.confidence.reshape(-1)[body] >= reading.flag_below)
        assert sure.sum() < 0.4 * written.sum()
