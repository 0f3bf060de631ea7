"""Drawing pages at a tier: what fits stays as it is, the rest fades until it fits and reads as it was drawn."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest
from support.hooked_codec import CostedCodec, HookedCodec, misreading
from support.texts import NAMES, chat

from foxing.encoder import Reading, TierSpec, VisionTokens, load_codec
from foxing.encoder.annotation import AnnotatedPage, annotate_page
from foxing.encoder.drawing import ATTEMPTS, DrawnPage, PageDrawer
from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer import Entry, Page, Typesetter, render
from foxing.renderer.page import grid_text
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import code_points

START = datetime(2026, 1, 5, tzinfo=UTC)


class WordyCodec(HookedCodec):
    """Reads at most `text_tokens` of a page well."""

    def __init__(self, text_tokens: int) -> None:
        super().__init__()
        limited = {name: replace(spec, text_tokens=text_tokens) for name, spec in self.tiers.items()}
        self.tiers: Mapping[str, TierSpec] = MappingProxyType(limited)


@cache
def page(messages: int = 110) -> tuple[Page, AnnotatedPage]:
    codec = load_codec("native", "cpu")
    entries = [Entry(str(m.id), m.role, m.text, START) for m in chat(messages, START)]
    typeset = Typesetter(codec.layout, codec.repertoire).page(entries)
    return typeset, annotate_page(typeset, {entry.message_id: entry for entry in entries})


def draw(codec: HookedCodec, tier: str, messages: int = 110) -> DrawnPage:
    return PageDrawer(codec).draw([page(messages)[1]], tier)[0]


def texts_on(drawn: DrawnPage) -> list[str]:
    assert drawn.faded is not None
    flat = drawn.cells.reshape(-1)
    return [transcribe(flat[span.start : span.stop], start=span.start).text for span in drawn.faded.page.placements]


@pytest.mark.parametrize("tier", ["base", "small"])
def test_what_fits_is_drawn_as_it_was(tier: str) -> None:
    typeset, _ = page()
    drawn = draw(CostedCodec(), tier)
    assert drawn.faded is None
    assert np.array_equal(drawn.cells, typeset.cells)
    codec = load_codec("native", "cpu")
    assert drawn.tokens == codec.encode([render(typeset.cells, typeset.layout, tier)], tier)[0]
    assert drawn.reading is not None
    assert drawn.reading.text == typeset.text


@pytest.mark.parametrize(("tier", "most"), [("base", 0), ("small", 2)])
def test_words_with_soft_hyphens_and_joiners_stay(tier: str, most: int) -> None:
    """Characters that are not seen, in words of several scripts, and in emoji."""
    words = ("cooperation", "Zuckerbrot", "résumé", "книга", "σήμερα", "नमस्ते", "کتاب", "v5.4.694", "안녕하세요")
    unseen = "\u00ad\u200d\u200c\u2060\u200b\ufeff"
    texts = [f"Look at {word[:2]}{sign}{word[2:]} in report {len(word)}." for word in words for sign in unseen]
    texts += ["Thanks ❤\ufe0f and ☀\ufe0f", "The whole family 👩\u200d👩\u200d👧 came."] * 5
    codec = load_codec("native", "cpu")
    entries = [Entry(str(number), "user", text, START) for number, text in enumerate(texts)]
    typeset = Typesetter(codec.layout, codec.repertoire).page(entries)
    drawn = PageDrawer(codec).draw([annotate_page(typeset, {entry.message_id: entry for entry in entries})], tier)[0]
    assert len(typeset.placements) == len(texts)
    left = texts if drawn.faded is None else [text.text for text in drawn.faded.texts]
    assert sum(a != b for a, b in zip(left, texts, strict=True)) <= most


@pytest.mark.slow
def test_what_does_not_fit_fades_until_it_does() -> None:
    codec = CostedCodec()
    drawn = draw(codec, "micro")
    room = codec.tiers["micro"].bytes_per_page
    assert 0.95 * room <= len(drawn.tokens.data) <= room
    assert drawn.faded is not None
    assert drawn.reading is not None
    assert drawn.reading.text == grid_text(drawn.cells)
    for text, left, message in zip(texts_on(drawn), drawn.faded.texts, page()[1].messages, strict=True):
        assert text in (left.text, "")  # a message of which nothing is left has no ink
        said = message.entry.content
        kept = [place for place in range(len(left.text)) if left.text[place] not in "⋯ "]
        assert all(said[left.origin[place]] == left.text[place] for place in kept)


@pytest.mark.slow
def test_several_pages_are_drawn_as_each_would_be_alone() -> None:
    codec = CostedCodec()
    annotated = [page()[1], page(40)[1]]
    together = PageDrawer(codec).draw(annotated, "micro")
    assert [drawn.tokens for drawn in together] == [
        PageDrawer(codec).draw([one], "micro")[0].tokens for one in annotated
    ]
    assert PageDrawer(codec).draw([], "micro") == []


@pytest.mark.parametrize("tier", ["small", "micro"])
@pytest.mark.slow
def test_a_word_that_does_not_read_as_it_was_drawn_fades(tier: str) -> None:
    drawn = draw(CostedCodec(alter=misreading("Hiroshi")), tier)
    assert drawn.faded is not None
    left = " ".join(texts_on(drawn))
    assert "iroshi" not in left
    assert drawn.faded.misread_facts
    flat = drawn.cells.reshape(-1)
    for fact in drawn.faded.misread_facts:
        placement = drawn.faded.page.placements[fact.message]
        assert placement.start <= fact.start < fact.stop <= placement.stop
        assert "Hiroshi" in fact.text
        assert (flat[fact.start : fact.stop] == ord("⋯")).all()
    assert all(name in left for name in NAMES if name != "Hiroshi")
    assert drawn.reading is not None
    assert drawn.reading.text == grid_text(drawn.cells)


def test_a_fact_that_is_misread_is_tried_once_more_beside_other_words() -> None:
    readings = []

    def misread(tokens: VisionTokens, reading: Reading) -> Reading:
        readings.append(reading)
        cells = reading.cells.copy()
        for word in ("Hiroshi", "horse") if len(readings) == 1 else ():
            cells.reshape(-1)[cells.tobytes().find(code_points(word).tobytes()) // 4] = ord("#")
        return replace(reading, cells=cells)

    before = grid_text(page()[0].cells)
    left = " ".join(texts_on(draw(CostedCodec(alter=misread), "small")))
    assert len(readings) > 1
    assert left.count("horse") == before.count("horse") - 1
    assert left.count("Hiroshi") == before.count("Hiroshi")


@pytest.mark.parametrize("tier", ["small", *(pytest.param(tier, marks=pytest.mark.slow) for tier in ("tiny", "micro"))])
@pytest.mark.slow
def test_a_place_that_is_always_misread_is_left_empty(tier: str) -> None:
    places = np.arange(501, 4000, 307)

    def misread(tokens: VisionTokens, reading: Reading) -> Reading:
        cells = reading.cells.copy()
        flat = cells.reshape(-1)
        letters = [place for place in places if place < len(flat) and chr(flat[place]).isalnum()]
        flat[letters] = ord("#")
        return replace(reading, cells=cells)

    codec = CostedCodec(alter=misread)
    drawn = draw(codec, tier)
    assert drawn.reading is not None
    assert drawn.faded is not None
    assert drawn.reading.text == grid_text(drawn.cells)
    assert "#" not in drawn.reading.text
    for text, left in zip(texts_on(drawn), drawn.faded.texts, strict=True):
        assert text in (left.text, "")
        assert left.gaps == {place for place, character in enumerate(left.text) if character == "⋯"}
        assert (np.diff(left.origin) >= 0).all()
    assert len(drawn.tokens.data) <= codec.tiers[tier].bytes_per_page


def test_a_page_that_never_reads_as_it_was_drawn_is_given_up() -> None:
    def misread(tokens: VisionTokens, reading: Reading) -> Reading:
        letters = (reading.cells >= ord("a")) & (reading.cells <= ord("y"))
        return replace(reading, cells=np.where(letters, reading.cells + 1, reading.cells).astype(np.uint32))

    codec = CostedCodec(alter=misread)
    drawn = draw(codec, "micro", 30)
    assert drawn.reading is not None
    assert len(codec.batches) < ATTEMPTS  # how many fewer depends on the processor


@pytest.mark.slow
def test_words_that_may_be_misread_already_fade_first() -> None:
    annotated = page()[1]
    message = annotated.messages[0]
    doubtful = np.zeros(len(message.entry.content), dtype=bool)
    place = message.entry.content.index("Hiroshi")
    doubtful[place] = True
    unsure = replace(annotated, messages=[replace(message, likely_misread=doubtful), *annotated.messages[1:]])
    sure, doubted = (PageDrawer(CostedCodec()).draw([each], "micro")[0] for each in (annotated, unsure))
    assert "Hiroshi" in texts_on(sure)[0]
    assert "Hiroshi" not in texts_on(doubted)[0]


def test_a_codec_without_costs_has_room_for_text_tokens() -> None:
    drawn = draw(WordyCodec(400), "base")
    assert drawn.reading is None
    assert 0.95 * 400 <= count_text_tokens(grid_text(drawn.cells)) <= 400
    assert draw(WordyCodec(100_000), "base").faded is None


def test_a_page_without_messages_is_drawn_as_it_is() -> None:
    cells = page()[0].cells
    drawn = PageDrawer(CostedCodec()).draw([AnnotatedPage(page()[0].layout, cells, [])], "micro")[0]
    assert drawn.faded is None
    assert len(drawn.tokens.data) <= CostedCodec().tiers["micro"].max_bytes
