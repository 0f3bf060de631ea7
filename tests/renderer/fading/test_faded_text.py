"""What is left of a text: one mark for each gap, on the page and off it."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.texts import texts

from foxing.renderer import Entry, PageLayout, Typesetter
from foxing.renderer.fading import Word, faded, words_of
from foxing.renderer.transcription import transcribe

AT = datetime(2026, 3, 2, tzinfo=UTC)


def choice(data: st.DataObject, words: list[Word]) -> npt.NDArray[np.bool_]:
    """Any words of a text."""
    count = len(words)
    return np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool)


@pytest.mark.parametrize(
    ("text", "kept", "expected"),
    [
        ("We met Ann in Rome.", "Ann Rome .", "⋯ Ann ⋯ Rome."),
        ("We met Ann in Rome.", "We met in", "We met ⋯ in ⋯"),
        ("We met Ann in Rome.", "", "⋯"),
        ("We met Ann in Rome.", "We met Ann in Rome .", "We met Ann in Rome."),
        ("  one\n\ntwo  three  ", "one", "  one ⋯"),
        ("  one\n\ntwo  three  ", "one two", "  one\n\ntwo ⋯"),
        ("  one\n\ntwo  three  ", "three", "⋯ three  "),
        ("東京都渋谷区", "東京 谷区", "東京⋯谷区"),
        ("well⋯ no", "no", "⋯ no"),
        (" \n ", "", " \n "),
    ],
)
def test_a_run_of_faded_words_is_one_gap(text: str, kept: str, expected: str) -> None:
    words = words_of(text)
    stays = np.array([text[word.start : word.stop] in kept.split() for word in words], dtype=bool)
    left = faded(text, words, stays)
    assert left.text == expected
    assert len(left.gaps) == expected.count("⋯")


def test_a_full_stop_before_a_page_break_leaves_a_gap() -> None:
    text = "We paid $92."
    words = words_of(text)
    kept = np.array([text[word.start : word.stop] != "." for word in words], dtype=bool)
    assert faded(text, words, kept).text == "We paid $92"
    assert faded(text, words, kept, continues_after=True).text == "We paid $92 ⋯"


@pytest.mark.parametrize(("text", "expected"), [("Ann paid … ", "Ann paid ⋯"), ("Ann paid…", "Ann paid")])
def test_an_exported_gap_at_the_end_leaves_a_gap(text: str, expected: str) -> None:
    words = words_of(text)
    kept = np.array([text[word.start : word.stop] != "…" for word in words], dtype=bool)
    assert faded(text, words, kept).text == expected


def test_a_literal_mark_that_stays_is_no_gap() -> None:
    text = "well⋯ no way"
    left = faded(text, words_of(text), np.array([True, True, False, True]))
    assert (left.text, sorted(left.gaps)) == ("well⋯ ⋯ way", [6])


def test_gaps_that_were_there_join_those_beside_them() -> None:
    text = "a ⋯ b c ⋯ d"
    words = words_of(text, [2, 8])
    left = faded(text, words, np.array([True, True, False, True]), {2, 8})
    assert (left.text, sorted(left.gaps)) == ("a ⋯ b ⋯ d", [2, 6])
    assert left.origin.tolist() == [0, 2, 2, 2, 4, 6, 6, 6, 10]


@pytest.mark.slow
@given(texts, st.data())
def test_what_is_left_has_the_words_that_stay(text: str, data: st.DataObject) -> None:
    words = words_of(text)
    kept = choice(data, words)
    left = faded(text, words, kept)
    stay = [text[word.start : word.stop] for word, stays in zip(words, kept.tolist(), strict=True) if stays]
    again = words_of(left.text, left.gaps)
    if not kept.all():  # joined to a kept neighbour, a word would be another one
        assert "".join(stay) == "".join(left.text[word.start : word.stop] for word in again)
    assert all(left.text[place] == "⋯" for place in left.gaps)
    assert (np.diff(left.origin) >= 0).all()
    alike = [i for i in range(len(left.text)) if left.text[i] == text[left.origin[i]]]
    assert {i for word in again for i in range(*word)} <= set(alike)


@given(texts, st.data())
def test_fading_twice_is_fading_once(text: str, data: st.DataObject) -> None:
    words = words_of(text)
    first = choice(data, words)
    second = first & choice(data, words)
    once, left = faded(text, words, second), faded(text, words, first)
    starts = {place: number for number, place in enumerate(left.origin.tolist())}
    stay = [word for word, stays in zip(words, first.tolist(), strict=True) if stays]
    moved = [Word(starts[start], starts[start] + stop - start) for start, stop in stay]
    twice = faded(left.text, moved, second[first], left.gaps)
    assert (twice.text, twice.gaps) == (once.text, once.gaps)


@given(texts, st.data(), st.sampled_from(["mark", "break"]))
def test_a_page_gives_the_faded_text_back(text: str, data: st.DataObject, newline: str) -> None:
    layout = PageLayout(columns=16, rows=200, newline=newline)  # type: ignore[arg-type]
    words = words_of(text)
    left = faded(text, words, choice(data, words))
    entry = left.entry(Entry("m", "user", text, AT, "t"))
    page = Typesetter(layout).page([entry, Entry("n", "user", "x", AT, "t", header=False)])
    span = page.placements[0]
    read = transcribe(page.cells.reshape(-1)[span.start : span.stop], layout=layout, start=span.start)
    assert (read.text, frozenset(read.gaps.tolist())) == (left.text, left.gaps)
    assert (span.header_start, span.start) == (0, 1)
