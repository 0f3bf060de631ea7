"""The words of messages and their classes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.encoder.bench.word_classes import COMMON_WORDS, RARE_LETTERS, WordClass, classify, is_identifier, words_of
from foxing.encoder.bench.word_lists import ENGLISH_WORDS_PATH, LANGUAGES, english_words

UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def classes(text: str, language: str = "en") -> dict[str, str]:
    """Word → class of its last occurrence."""
    return {word: found.value for word, found in classified(text, language)}


def classified(text: str, language: str) -> list[tuple[str, WordClass]]:
    words = words_of(text)
    return [(word.text, found) for word, found in zip(words, classify(text, words, language), strict=True)]


def of_class(found: WordClass, text: str, language: str = "en") -> list[str]:
    return [word for word, its in classified(text, language) if its == found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Well, that's it -- don’t!", ["Well", "that's", "it", "don’t"]),
        (
            "a well-known and/or yes:no (e.g. tea)...so",
            ["a", "well", "known", "and", "or", "yes", "no", "e.g", "tea", "so"],
        ),
        ("see https://a.example/x?y=1. Bye", ["see", "https://a.example/x?y=1", "Bye"]),
        ("mail ada@b.example, read /srv/log/x.txt", ["mail", "ada@b.example", "read", "srv/log/x.txt"]),
        ("user_name os.path.join end.Now x", ["user_name", "os.path.join", "end", "Now", "x"]),
        ("1,000 or 3.5GB, $20 at 7:30", ["1,000", "or", "3.5GB", "20", "at", "7:30"]),
        ("안녕하세요, Python을 5월에", ["안녕하세요", "Python", "을", "5", "월에"]),
        ("我有3本书", ["我", "有", "3", "本", "书"]),
        ("half⋯ ⋯gone ⋯", ["half", "gone"]),
        (f"ha{UNREADABLE}f {UNREADABLE}{UNREADABLE} _ 🙂", [f"ha{UNREADABLE}f"]),
        ("", []),
    ],
)
def test_words_are_what_is_compared_as_a_whole(text: str, expected: list[str]) -> None:
    assert [word.text for word in words_of(text)] == expected


@given(st.text())
def test_words_lie_in_the_text_in_order(text: str) -> None:
    words = words_of(text)
    assert all(text[word.start : word.stop] == word.text for word in words)
    assert all(before.stop <= after.start for before, after in pairwise(words))
    assert len(classify(text, words, "en")) == len(words)


def test_names_are_capitalised_inside_a_sentence() -> None:
    text = (
        "Yesterday Ada's cat met Zebedee. Later I've seen The Hague, said Dr. Ng. I'm off; JavaScript or USB?\nBremen"
    )
    assert of_class(WordClass.NAME, text) == ["Ada's", "Zebedee", "Hague", "Dr", "Ng", "JavaScript", "USB"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 8 May, 2023 at 1:56 pm", ["8", "May", "2023", "1:56", "pm"]),
        ("the 13th of March or March 3rd", ["13th", "March", "March", "3rd"]),
        ("I may march in May. May I? The march", ["May"]),
        ("next monday, Tue 5 and at 9am", ["monday", "Tue", "5", "9am"]),
        ("2023-05-08T10:11:12Z, 08/05/2023, 8.5.2023", ["2023-05-08T10:11:12Z", "08/05/2023", "8.5.2023"]),
        ("the 1990s, but 2.6.15.6, $2010 and 3000", ["1990s"]),
    ],
)
def test_dates_are_times_months_and_weekdays(text: str, expected: list[str]) -> None:
    assert of_class(WordClass.DATE, text) == expected


def test_numbers_hold_a_digit_and_are_no_dates() -> None:
    text = "Gate B12 for 3 people: 1,000 km, 2.6.15.6, id f3a9c1, not in 2021"
    assert of_class(WordClass.NUMBER, text) == ["B12", "3", "1,000", "2.6.15.6", "f3a9c1"]


def test_negations_have_their_own_class() -> None:
    text = "No, I don't; it can’t, NOT ever, without none. Note the knot"
    assert of_class(WordClass.NEGATION, text) == ["No", "don't", "can’t", "NOT", "without", "none"]


def test_rare_words_and_identifiers_beside_common_and_other_words() -> None:
    found = classes("the server has a zymurgy os.path hoi")
    assert found == {
        **dict.fromkeys(("the", "has", "a"), "common_words"),
        **dict.fromkeys(("server", "hoi"), "content_words"),
        **dict.fromkeys(("zymurgy", "os.path"), "rare_words"),
    }


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "de",
            "Am 3. März gibt es kein Bier um 20 Uhr in Hof 7, siehe a_b",
            {"dates": ["3", "März", "20", "Uhr"], "negations": ["kein"], "numbers": ["7"], "rare_words": ["a_b"]},
        ),
        (
            "fr",
            "Le 5 mai Ada n'est pas à Lyon, sans 12 amis",
            {"dates": ["5", "mai"], "negations": ["n'est", "pas", "sans"], "names": ["Ada", "Lyon"], "numbers": ["12"]},
        ),
        ("ru", "Он не был в Москве 5 марта", {"dates": ["5", "марта"], "negations": ["не"], "names": ["Москве"]}),
        (
            "ko",
            "5월 8일 월요일에 Ada는 3시간 없었다 안 갔다",
            {
                "dates": ["5", "월", "8", "일", "월요일에"],
                "negations": ["없었다", "안"],
                "names": ["Ada"],
                "numbers": ["3"],
            },
        ),
        ("ja", "5月にAdaは行かない", {"dates": ["5", "月"], "names": ["Ada"], "negations": ["な", "い"]}),
        ("zh", "星期一我没去非常特别的7店", {"dates": ["星", "期", "一"], "negations": ["没"], "numbers": ["7"]}),
        ("unknown", "no Ada in 2021 or 7", {"dates": ["2021"], "names": ["Ada"], "numbers": ["7"]}),
    ],
)
def test_other_languages_have_their_own_lists(language: str, text: str, expected: dict[str, list[str]]) -> None:
    found = {kind.value: of_class(kind, text, language) for kind in WordClass if kind != WordClass.CONTENT}
    assert {kind: words for kind, words in found.items() if words} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "see https://a.example/x?y=1, /srv/log/x.txt, os.path",
            ["https://a.example/x?y=1", "srv/log/x.txt", "os.path"],
        ),
        ("mail ada@b.example about user_name and JavaScript", ["ada@b.example", "user_name", "JavaScript"]),
        (
            "hash 7f3a91c2 and 9a6fa8e0-ac37-4f2e-a023-0576ef6c82df",
            ["7f3a91c2", "9a6fa8e0-ac37-4f2e-a023-0576ef6c82df"],
        ),
        ("1,000 or 3.5GB at 7:30 on 2023-05-08, 10/12, e.g. Ada's B12 don't half-way", []),
        ("2023-05-08T10:11:12Z", []),
    ],
)
def test_identifiers_are_told_from_numbers_and_words(text: str, expected: list[str]) -> None:
    assert [word.text for word in words_of(text) if is_identifier(word.text)] == expected


def test_lists_are_lower_case_and_patterns_compile() -> None:
    for language, words in LANGUAGES.items():
        listed = {*words.negations, *words.months, *words.weekdays}
        assert {word.lower() for word in listed} == listed
        assert classes("1 x", language)


def test_the_english_lists_are_small_and_sorted() -> None:
    words = english_words()
    assert len(words.common) == COMMON_WORDS
    assert {"the", "and", "you", "to"} <= words.common
    assert {"server", "really"} <= words.frequent
    assert all(len(word) >= RARE_LETTERS and word == word.lower() for word in words.frequent)
    assert ENGLISH_WORDS_PATH.stat().st_size < 60_000


@pytest.mark.parametrize(
    "text", ["a." * 50_000, "/" * 100_000, "a-" * 50_000, "1:" * 50_000, "http://" * 15_000, "A " * 50_000]
)
def test_long_runs_take_linear_time(text: str) -> None:
    assert len(classify(text, words_of(text), "en")) <= len(text)
