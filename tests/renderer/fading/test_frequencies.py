"""Lists of frequent words: how rare a word is."""

import pytest

from foxing.renderer.fading.frequencies import FREQUENT_WORDS_PATH, frequencies_of, stem


def test_the_rarer_a_word_is_the_higher_its_rarity() -> None:
    english = frequencies_of(["en"])
    assert english is not None
    rarities = [english.rarity(word) for word in ("the", "good", "window", "kestrel")]
    assert rarities == sorted(rarities)
    assert 0 < rarities[0] < rarities[2] < rarities[3] == 1


def test_a_word_is_as_rare_as_where_it_is_most_frequent() -> None:
    both, english = frequencies_of(["en", "de"]), frequencies_of(["en"])
    assert both is not None
    assert english is not None
    assert both.rarity("oder") < english.rarity("oder") == 1
    assert both.rarity("the") == english.rarity("the")


@pytest.mark.parametrize("codes", [[], ["tr"], ["tr", "en"]])
def test_a_language_without_a_list_has_none(codes: list[str]) -> None:
    assert frequencies_of(codes) is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [("영화를", "영화"), ("학교에서", "학교"), ("밥을", "밥을"), ("doctor's", "doctor"), ("that", "that")],
)
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_lists_are_small() -> None:
    paths = sorted(FREQUENT_WORDS_PATH.glob("*.txt"))
    assert [path.stem for path in paths] == ["de", "en", "fr", "ja", "ko", "ru", "zh"]
    for path in paths:
        words = path.read_text(encoding="utf-8").split()
        assert len(path.read_bytes()) <= 10_050
        assert len(set(words)) == len(words)
