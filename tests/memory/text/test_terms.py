import gc
import threading
import tracemalloc
from collections import Counter

import pytest

from foxing.memory.text.numerals import han_number, roman_number
from foxing.memory.text.terms import LONGEST_TERM, query_terms, term_runs, terms


def indexed(text: str) -> set[str]:
    return set(terms(text))


def matches(query: str, text: str) -> bool:
    return bool(query_terms(query).keys() & terms(text).keys())


def test_case_accents_width_and_endings_are_ignored() -> None:
    assert terms("Painting PAINTED paints") == Counter({"paint": 3})
    assert indexed("CAFÉ cafe\u0301 cafe ｃａｆé") == {"cafe"}
    assert matches("Caroline", "It was Caroline’s idea")
    assert matches("Straße", "STRASSE")


def test_identifiers_are_indexed_whole_and_by_parts() -> None:
    assert {"foo_bar.py", "foo", "bar", "py"} <= indexed("see foo_bar.py.")
    assert {"parsehttprequest", "pars", "http", "request"} <= indexed("parseHTTPRequest")
    assert {"abc-1234", "abc", "1234"} <= indexed("ticket ABC-1234")
    assert "123e4567-e89b-12d3-a456-426614174000" in indexed("id 123E4567-e89b-12d3-a456-426614174000!")
    assert {"10.0.0.1", "v2.4.1"} <= indexed("v2.4.1 on 10.0.0.1")
    assert matches("3200", "it cost 3,200 won")


def test_hyphenated_words_are_indexed_by_parts_only() -> None:
    assert indexed("follow-up") == {"follow", "up"}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("타이탄", "타이탄은 금요일에 나간다"),
        ("東京タワー", "昨日は東京タワーへ行きました"),
        ("数据库", "我们决定使用新的数据库"),
        ("ภาษา", "ฉันเรียนภาษาไทย"),
        ("हिन्दी", "मैं हिन्दी में"),
        ("сообщение", "Новое СООБЩЕНИЕ пришло"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),  # decomposed
        ("집", "집"),
    ],
)
def test_every_script_matches(query: str, text: str) -> None:
    assert matches(query, text)


def test_hangul_words_are_indexed_in_pairs() -> None:
    assert terms("타이탄은 집") == Counter(["타이", "이탄", "탄은", "집"])


def test_runs_give_the_range_of_a_term() -> None:
    text = "Titan: foo_bar.py, 타이탄 東京へ don't"
    for term, start, stop in term_runs(text):
        assert 0 <= start < stop <= len(text)
        assert text[start:stop].lower().startswith(term[:3])
    assert ("타이", text.index("타이"), text.index("타이") + 2) in term_runs(text)
    assert ("bar", text.index("bar"), text.index("bar") + 3) in term_runs(text)


@pytest.mark.parametrize(
    "text", ["Titan ships 3 camelCase foo_bar.py, 타이탄은 東京 ｆｕｌｌ", "", "!?", "\ud800 a b\x00c"]
)
def test_runs_and_counts_agree(text: str) -> None:
    assert Counter(term for term, _, _ in term_runs(text)) == terms(text)


def test_query_terms_leave_out_stop_words() -> None:
    assert set(query_terms("What did we decide about project Titan?")) == {"decid", "project", "titan"}
    assert "뭘" not in query_terms("타이탄에 대해 뭘 정했지?")
    assert "타이" in query_terms("타이탄에 대해 뭘 정했지?")


def test_query_of_stop_words_only_keeps_them() -> None:
    assert set(query_terms("What about him?")) == {"what", "about", "him"}


def test_function_words_are_not_indexed() -> None:
    assert indexed("the decision of the team") == {"decis", "team"}


def test_long_words_are_truncated() -> None:
    assert indexed("x" * 10_000) == {"x" * LONGEST_TERM}
    assert all(len(term) <= LONGEST_TERM for term in indexed("/".join(["part"] * 200) + "é" * 500))


def test_stemming_is_thread_safe() -> None:
    words = [f"{stem}ing" for stem in ("paint", "walk", "jump", "look", "play", "talk")] * 200
    expected = Counter(word.removesuffix("ing") for word in words)
    results: list[Counter[str]] = []
    threads = [threading.Thread(target=lambda: results.append(terms(" ".join(words)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


@pytest.mark.parametrize(
    "alphabet",
    [
        *(
            pytest.param(text, marks=pytest.mark.slow)
            for text in ("的一是不了人我在有他这中大来上国", "가나다라마바사아자차카타파하거너")
        ),
        "abcdefghijklmnop",
    ],
)
def test_what_is_remembered_of_long_texts_is_little(alphabet: str) -> None:
    digits = str.maketrans("0123456789abcdef", alphabet)
    texts = [f"{number:x}".translate(digits) * 2_000 + f"_{number}." for number in range(0x1000, 0x1000 + 40)]
    tracemalloc.start()
    try:
        for text in texts:
            terms(text)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 200_000  # of 320,000 characters


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("お姉さんの住まい", "姉は京都です"),
        ("三代目", "3代目の店"),
        ("第3卷", "第三卷在书房"),
        ("第12回", "第十二回は中止です"),
        ("우리 형", "형은 부산에 있어요"),
        ("volume 3", "Volume III is lent"),
    ],
)
def test_single_ideographs_and_numerals_match_in_other_surroundings(query: str, text: str) -> None:
    assert terms(query).keys() & terms(text).keys() - {"volum"}


@pytest.mark.parametrize(
    ("numeral", "number"), [("三", "3"), ("十", "10"), ("十二", "12"), ("二十", "20"), ("九十九", "99"), ("三二", None)]
)
def test_numerals_of_han_up_to_99(numeral: str, number: str | None) -> None:
    assert han_number(numeral) == number


@pytest.mark.parametrize(
    ("word", "number"),
    [("II", "2"), ("IX", "9"), ("XXXIX", "39"), ("I", None), ("IIX", None), ("iv", None), ("MIX", None)],
)
def test_roman_numerals_up_to_39(word: str, number: str | None) -> None:
    assert roman_number(word) == number
