"""Calibration of the native codec: from which confidence a cell is certain, and below which it is flagged."""

import numpy as np
import pytest

from foxing.encoder.bench.documents import entries
from foxing.encoder.native.codec import NativeCodec
from foxing.encoder.native.entropy.alphabet import Alphabet
from foxing.encoder.native.entropy.confidence import CERTAIN_FROM, LEVEL_BOUNDS, quantize
from foxing.renderer import Page, Typesetter
from foxing.renderer.marks import GAP_MARK
from training.native.calibrate import Characters, ReadPage, certain_from, threshold
from training.native.texts.faded import SHARES, PageFader

WORDS = "Ann flew to Oslo on 3 May with 14 boxes of tea, and it was not late. We met her by the old harbour."
DOCUMENT = {"id": "d", "messages": [{"role": "user", "content": f"{WORDS} That was day {day}."} for day in range(90)]}


@pytest.fixture(scope="module")
def codec() -> NativeCodec:
    return NativeCodec.load(device="cpu")


@pytest.fixture(scope="module")
def page(codec: NativeCodec) -> Page:
    return Typesetter(codec.layout, codec.repertoire).page(entries([DOCUMENT]))


def read_page(codec: NativeCodec, page: Page, confidence: np.ndarray) -> ReadPage:
    grid = Alphabet(codec.runner.charset).symbols(page.cells)
    return ReadPage(page.cells, page.cells.copy(), confidence.astype(np.float32), grid)


def test_cells_are_certain_from_the_lowest_bound_without_errors(codec: NativeCodec, page: Page) -> None:
    generator = np.random.default_rng(4)
    read = read_page(codec, page, generator.uniform(0.945, 1, page.cells.shape))
    right = certain_from(codec.runner, [read], Characters.of([read]))
    assert right == 0.94  # what is below says nothing and saves nothing

    places = np.argwhere(read.inked)[:20]
    read.read[tuple(places.T)] = ord("#")
    read.confidence[tuple(places.T)] = 0.965
    wrong = certain_from(codec.runner, [read], Characters.of([read]))
    assert wrong == 0.975


def test_a_bound_that_costs_nothing_stays(codec: NativeCodec, page: Page) -> None:
    read = read_page(codec, page, np.ones(page.cells.shape))
    assert certain_from(codec.runner, [read], Characters.of([read])) == CERTAIN_FROM


def test_certain_cells_have_level_0() -> None:
    confidence = np.array([1.0, 0.9992, 0.98, 0.96, 0.95, 0.1], dtype=np.float32)
    assert quantize(confidence).tolist()[0] == 0
    assert quantize(confidence, 0.96).tolist()[:4] == [0, 0, 0, 0]
    assert (quantize(confidence, 0.96)[4:] == quantize(confidence)[4:]).all()
    assert (quantize(LEVEL_BOUNDS.astype(np.float32), 2.0)[1:] > 0).all()


def test_what_is_certain_is_not_flagged() -> None:
    generator = np.random.default_rng(1)
    confidence = generator.uniform(0.5, 1, 10_000).astype(np.float32)
    right = generator.random(10_000) < confidence
    for certain in (0.9992, 0.94, 0.8):
        assert 0 < threshold(right, confidence, certain) <= certain
    assert threshold(np.ones(100, bool), np.ones(100, np.float32), 0.94) <= 0.94


def test_a_page_fades_to_shares_of_its_bytes(codec: NativeCodec, page: Page) -> None:
    fader = PageFader(codec.runner.streams.kernel.tables, codec.runner.charset)
    messages = {entry.message_id: entry for entry in entries([DOCUMENT])}
    size = codec.cost(page.cells, "micro").sum() / 8
    whole, part = fader.some([page], messages, 1)
    for share, left in zip(SHARES, (whole, part), strict=True):
        assert codec.cost(left.cells, "micro").sum() / 8 <= share * size
    assert GAP_MARK in part.text
    assert len(part.text) < len(whole.text) < len(page.text)
