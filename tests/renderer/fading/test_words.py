"""Words of a text: what fades as a unit, in several scripts, and in time linear in the length of the text."""

from time import thread_time

import pytest
from hypothesis import given
from support.texts import texts

from foxing.renderer.fading import is_punctuation, words_of


def units(text: str) -> list[str]:
    return [text[word.start : word.stop] for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know, well-known Mel!", ["I", "don't", "know", ",", "well-known", "Mel", "!"]),
        ("on 7 May 2023 at 10:30 am", ["on", "7 May 2023", "at", "10:30 am"]),
        ("$5.20 or 50% of 1,000 km", ["$5.20", "or", "50%", "of", "1,000 km"]),
        ("(see /usr/bin/a_b.py).", ["(", "see", "/usr/bin/a_b.py", ")."]),
        ("at http://a.b/c?x=1, or me@x.org", ["at", "http://a.b/c?x=1", ",", "or", "me@x.org"]),
        ("<http://a.b/c/>.", ["<http://a.b/c/", ">."]),
        ("f47ac10b-58cc-4372-a567-0e02b2c3d479", ["f47ac10b-58cc-4372-a567-0e02b2c3d479"]),
        ("__init__ --flag C++ f(x=1)", ["__init__", "--flag", "C++", "f", "(", "x=1", ")"]),
        ("GPT-4를 3 개 샀어요.", ["GPT-4를", "3 개", "샀어요", "."]),
        ("私は2023年5月にカメラを買った。", ["私", "は", "2023年", "5月", "に", "カメラ", "を", "買", "った", "。"]),
        ("他没去北京。", ["他没", "去北", "京", "。"]),
        ("这是电影的主题吗", ["这", "是", "电影", "的", "主题", "吗"]),
        ("wow 😀😀", ["wow", "😀😀"]),
        ("2\n km", ["2", "km"]),
        ("  ", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert units(text) == expected


@given(texts)
def test_words_cover_all_but_white_space_once(text: str) -> None:
    stop = 0
    for word in words_of(text):
        assert stop <= word.start < word.stop
        assert not text[stop : word.start].strip()
        stop = word.stop
    assert not text[stop:].strip()


def test_gaps_are_in_no_word_and_end_one() -> None:
    assert words_of("5⋯km a⋯b", [1, 6]) == [(0, 1), (2, 4), (5, 6), (7, 8)]
    assert words_of("a ⋯") == [(0, 1), (2, 3)]


def test_a_long_word_is_one_unit() -> None:
    assert words_of("a" * 600) == [(0, 600)]


@pytest.mark.parametrize(
    "piece", ["a.", "a@", "a,", "1,", "://", "a://", ".)", "/a", "a'", "#", "$-", "漢", "1 May ", "["]
)
def test_time_is_linear(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    begun = thread_time()  # other processes take none of it
    words_of(text)
    assert thread_time() - begun < 5


@pytest.mark.parametrize(("word", "expected"), [(".", True), ("?!", True), ("、", True), ("a.", False), ("😀", False)])
def test_punctuation(word: str, expected: bool) -> None:
    assert is_punctuation(word) is expected
