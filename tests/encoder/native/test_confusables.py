"""Characters with the same glyph, through the native codec."""

import random

import numpy as np
import pytest

from foxing.encoder import load_codec
from foxing.encoder.bench.documents import entries
from foxing.encoder.native.charset import load_charset
from foxing.encoder.native.codec import NativeCodec
from foxing.renderer import Page, Typesetter, render
from foxing.renderer.atlas import load_atlas
from foxing.renderer.confusables import script_of
from foxing.renderer.transcription import transcribe

LOOK_ALIKES = "AΑАBΒВCСEΕЕHΗНIΙІKΚMΜМNΝOΟОPΡРTΤТXΧХYΥZΖaаcсeеiіjјoοоpрxх"


@pytest.fixture(scope="module")
def codec() -> NativeCodec:
    loaded = load_codec("native", "cpu")
    assert isinstance(loaded, NativeCodec)
    return loaded


def page_of(codec: NativeCodec, *texts: str) -> Page:
    messages = [{"role": "user", "content": text} for text in texts]
    return Typesetter(codec.layout, codec.repertoire).page(entries([{"id": "t", "messages": messages}]))


@pytest.mark.parametrize("tier", ["base", "small"])
def test_a_page_of_similar_has_no_silent_errors(codec: NativeCodec, tier: str) -> None:
    """Some shapes are misread among meaningless letters, but every such cell is flagged."""
    generator = random.Random(7)
    words = ("".join(generator.choices(LOOK_ALIKES, k=generator.randint(1, 9))) for _ in range(3000))
    page = page_of(codec, " ".join(words)[:12_000])
    reading = codec.decode(codec.encode([render(page.cells, page.layout, tier)], tier))[0]
    used = page.cells > 0x20
    wrong = (reading.cells[: page.rows_used] != page.cells) & used
    silent = wrong & (reading.confidence[: page.rows_used] >= reading.flag_below)
    assert used.sum() > 10_000
    assert silent.sum() <= 5


@pytest.mark.parametrize("tier", ["base", "small"])
def test_words_of_mixed_scripts_come_back_exactly(codec: NativeCodec, tier: str) -> None:
    texts = (
        "Кот спит п\u006fд окном, а \u0421at и \u0441at на столе.",
        "Температура ΔT выросла, \u0410ВС и ABC разные, IPадрес занят, SMSка пришла.",
        "The t\u0435st w\u0430s here, and the \u0440rice is 5 x 3.",
    )
    page = page_of(codec, *texts)
    reading = codec.decode(codec.encode([render(page.cells, page.layout, tier)], tier))[0]
    flat = reading.cells.reshape(-1)
    read = tuple(transcribe(flat[s.start : s.stop], layout=page.layout, start=s.start).text for s in page.placements)
    assert read == texts


def test_a_letter_is_as_sure_as_its_shape(codec: NativeCodec) -> None:
    """Which of its look-alikes the network takes it for does not matter."""
    page = page_of(codec, *["Я і мій брат сидимо вдома, а сестра пішла до школи і ще не прийшла."] * 20)
    reading = codec.decode(codec.encode([render(page.cells, page.layout, "base")], "base"))[0]
    letter = page.cells == ord("і")
    assert letter.sum() == 80
    assert np.array_equal(reading.cells[: page.rows_used][letter], page.cells[letter])
    assert reading.confidence[: page.rows_used][letter].min() > 0.9


def test_signs_of_the_charset_all_look_different() -> None:
    charset = load_charset()
    signs = [c for c in charset.characters if script_of(c) < 0]
    assert len({load_atlas().drawing(c) for c in signs}) == len(signs)
    assert charset.lookalikes["\u2212"] == "–"
    assert charset.lookalikes["\u00d0"] == "Đ"
