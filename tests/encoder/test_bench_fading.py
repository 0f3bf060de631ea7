"""The benchmark of a codec whose pages fade, with a codec of which every byte is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from foxing.encoder import Reading, TierSpec, VisionTokens
from foxing.encoder.bench import CONDITIONS, BenchRow, PageSet, measure, measure_ageing, texts_of
from foxing.encoder.bench.drawing import TierDrawer
from foxing.encoder.tokens import STREAM
from foxing.renderer import DENSE_PAGE, PageLayout
from foxing.renderer.fading import MessageWords, Salience
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.repertoire import Repertoire

ROOMS = {"base": 256, "small": 100, "tiny": 30, "micro": 10}  # tokens
TOKEN_BYTES = 48
SENTENCE = "So then we went to see Guadalupe at 14:35 and it was not the same as it had been before"
MESSAGES = [{"role": "user", "content": f"{SENTENCE}, and so on"}] * 24 + [{"role": "user", "content": "and so on"}]


class Bytewise:
    """A codec that takes a byte for each cell with ink, and reads every cell as `reads` says."""

    name = "bytewise"
    weights = "00"
    layout: PageLayout = DENSE_PAGE
    repertoire: Repertoire | None = None
    context_rows: int | None = None

    def __init__(self) -> None:
        self.tiers: Mapping[str, TierSpec] = {
            tier: TierSpec(tier, DENSE_PAGE.side_px(tier), tokens, TOKEN_BYTES, STREAM, 0.5)
            for tier, tokens in ROOMS.items()
        }
        self.pages: list[Cells] = []
        self.reads: Callable[[Cells, str], Cells] = lambda cells, _: cells
        self.confidence = 1.0

    def draw(self, cells: Cells, layout: PageLayout, tier: str) -> Image.Image:
        """An image that is the number of a page in `pages`."""
        self.pages.append(cells)
        image = Image.new("L", (layout.side_px(tier), 64))
        image.info["page"] = len(self.pages) - 1
        return image

    def encode(self, images: Sequence[Image.Image], tier: str) -> list[VisionTokens]:
        return [self._encode(image.info["page"], tier) for image in images]

    def _encode(self, page: int, tier: str) -> VisionTokens:
        used = int((self.pages[page] != BLANK).sum())
        size = max(4, min(used, self.tiers[tier].bytes_per_page))
        data = page.to_bytes(4, "big") + bytes(size - 4)
        return VisionTokens(self.name, self.weights, tier, (1, -(-size // TOKEN_BYTES), TOKEN_BYTES), STREAM, data)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        readings = []
        for item in tokens:
            cells = self.reads(self.pages[int.from_bytes(item.data[:4], "big")].copy(), item.tier)
            confidence = np.full(cells.shape, self.confidence, dtype=np.float32)
            readings.append(Reading(item.tier, cells, confidence, self.tiers[item.tier].flag_below))
        return readings

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        return np.where(cells == BLANK, 0, 8).astype(np.float32)


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> Bytewise:
    codec = Bytewise()
    monkeypatch.setattr("foxing.encoder.drawing.render", codec.draw)
    monkeypatch.setattr("foxing.encoder.bench.measurement.render", codec.draw)
    return codec


def texts(codec: Bytewise) -> PageSet:
    return texts_of([{"id": "talk", "lang": "en", "messages": MESSAGES}], codec)


def shares(row: BenchRow) -> list[float | None]:
    return [row.words, row.facts]


def test_a_page_that_fits_is_drawn_as_it_is(codec: Bytewise) -> None:
    group = texts(codec)
    drawn = TierDrawer(codec, group).draw("base")
    assert drawn.pages[0].cells is group.pages[0].cells
    row = measure(codec, group, "base", "group")
    assert (row.kept_share, row.accuracy, row.words) == (1, 1, 1)


def test_what_fades_is_not_kept_and_no_error(codec: Bytewise) -> None:
    group = texts(codec)
    row, before = measure(codec, group, "micro", "group"), measure(codec, group, "base", "group")
    assert row.vision_tokens <= ROOMS["micro"] < before.vision_tokens
    assert 0.05 < row.kept_share < 0.6
    assert (row.accuracy, row.kept_accuracy, row.silent_errors_per_10k, row.calibration_error) == (1, 1, 0, 0)
    assert (row.invented_per_million, row.invented_words_per_million) == (0, 0)
    assert row.facts is not None
    assert row.words is not None
    assert row.facts > row.words
    # the text, which is what sizes are of, is that of the original
    assert (row.characters, row.text_tokens) == (before.characters, before.text_tokens)


def test_headers_count_neither_before_nor_after(codec: Bytewise) -> None:
    group = texts(codec)
    inked = int((group.pages[0].cells != BLANK).sum())
    messages = sum(span.stop - span.start for span in group.pages[0].placements)
    room = (inked + messages) // 2 // TOKEN_BYTES + 1  # enough for all of the messages, not for their headers
    codec.tiers = {**codec.tiers, "tiny": replace(codec.tiers["tiny"], tokens=room)}
    row = measure(codec, group, "tiny", "group")
    assert row.vision_tokens < -(-inked // TOKEN_BYTES)
    assert (row.kept_share, shares(row)) == (1, shares(measure(codec, group, "base", "group")))


def test_a_word_that_reads_otherwise_fades_rather_than_being_wrong(codec: Bytewise) -> None:
    codec.reads = lambda cells, tier: np.where((cells == ord("G")) & (tier == "tiny"), np.uint32(ord("C")), cells)
    row = measure(codec, texts(codec), "tiny", "group")
    assert row.facts is not None
    assert row.facts < 1
    assert (row.accuracy, row.invented_words_per_million) == (1, 0)


def test_ageing_goes_on_from_what_was_read(codec: Bytewise) -> None:
    group = texts(codec)
    rows = {row.tier: row for row in measure_ageing(codec, group, "group")}
    assert list(rows) == ["small", "tiny", "micro"]
    for tier, row in rows.items():
        directly = measure(codec, group, tier, "group")
        assert row.path == "aged"
        assert abs(row.kept_share - directly.kept_share) < 0.05
        assert row.facts == directly.facts
        assert (row.accuracy, row.invented_words_per_million) == (1, 0)
        assert row.vision_tokens <= ROOMS[tier]


def test_a_misread_character_stays_wrong_at_lower_tiers(codec: Bytewise) -> None:
    def reads(cells: Cells, tier: str) -> Cells:
        """The first G of the page as a C at `small`, whatever is done about it."""
        places = np.argwhere(cells == ord("G"))
        if tier == "small" and len(places):
            cells[tuple(places[0])] = ord("C")
        return cells

    codec.reads = reads
    group = texts(codec)
    # each attempt to draw the page at `small` misreads another word of it, so that the last one stays
    rows = {row.tier: row for row in measure_ageing(codec, group, "group", ("small", "tiny", "micro"))}
    small = measure(codec, group, "small", "group")
    assert small.kept_accuracy < 1
    assert rows["micro"].kept_accuracy < 1
    assert rows["micro"].silent_errors_per_10k > 0
    assert rows["micro"].invented_words_per_million > 0


def test_characters_that_were_doubtful_fade_first(codec: Bytewise) -> None:
    group = texts(codec)
    drawer = TierDrawer(codec, group)
    drawn = drawer.draw("base")
    sure = codec.decode(codec.encode([codec.draw(page.cells, page.layout, "base") for page in drawn.pages], "base"))
    doubtful = [replace(r, confidence=np.where(r.cells == ord("G"), 0.4, 1).astype(np.float32)) for r in sure]
    kept = [drawer.draw_read(drawn, readings, "micro").pages[0].cells for readings in (sure, doubtful)]
    assert [ord("G") in cells for cells in kept] == [True, False]


def test_refinements_get_the_texts_of_a_page(codec: Bytewise) -> None:
    seen: list[Sequence[str]] = []

    def common_first(_: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        return [8 - words for words in salience]

    def refine(page: Sequence[str]) -> Sequence[Callable[..., list[Salience]]]:
        seen.append(page)
        return [common_first]

    group = replace(texts(codec), refine=refine)
    row = measure(codec, group, "micro", "group")
    assert seen == [[message["content"] for message in MESSAGES]]
    directly = measure(codec, texts(codec), "micro", "group")
    assert row.facts is not None
    assert directly.facts is not None
    assert row.facts < directly.facts


def test_degraded_images_are_those_of_the_faded_page(codec: Bytewise, monkeypatch: pytest.MonkeyPatch) -> None:
    degraded: list[Image.Image] = []

    def seen(image: Image.Image) -> Image.Image:
        degraded.append(image)
        return image

    monkeypatch.setitem(CONDITIONS, "shift 1 px", seen)
    row = measure(codec, texts(codec), "micro", "group", "shift 1 px")
    assert [(codec.pages[image.info["page"]] == ord(GAP_MARK)).any() for image in degraded] == [True]
    assert row.accuracy == 1
