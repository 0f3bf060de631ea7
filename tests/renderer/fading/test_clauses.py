"""Where clauses begin, in several languages, and that they fade as a whole."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import Entry, Typesetter
from foxing.renderer.fading import MessageWords, fade, score_page, words_of

AT = datetime(2026, 3, 2, tzinfo=UTC)


def written(*contents: str, role: str = "user") -> list[MessageWords]:
    messages = []
    for number, content in enumerate(contents):
        words = words_of(content)
        bits = np.array([8.0 * (word.stop - word.start) for word in words])
        messages.append(MessageWords(Entry(str(number), role, content, AT), words, bits))
    return messages


def clauses(text: str, role: str = "user") -> list[str]:
    """The clauses of a text."""
    (message,) = written(text, role=role)
    _, (numbers,) = score_page([message])
    found: dict[int, list[str]] = {}
    for word, number in zip(message.words, numbers.tolist(), strict=True):
        found.setdefault(number, []).append(text[word.start : word.stop])
    return [" ".join(words) for words in found.values()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I like tea, but she drinks coffee.", ["I like tea ,", "but she drinks coffee ."]),
        ("We bought apples, pears and plums. It rained.", ["We bought apples , pears and plums .", "It rained ."]),
        ("Wir gehen heim, weil es regnet.", ["Wir gehen heim ,", "weil es regnet ."]),
        ("비가 왔지만 우리는 걸었다. 즐거웠다.", ["비가 왔지만", "우리는 걸었다 .", "즐거웠다 ."]),
        ("我们去公园，他们回家。", ["我们 去公 园 ，", "他们 回家 。"]),
    ],
)
def test_where_clauses_begin(text: str, expected: list[str]) -> None:
    assert clauses(text) == expected


def test_pairs_of_a_json_object_and_lines_are_units() -> None:
    assert len(clauses('{"city": "Rome", "nights": 2, "near": "station"}', role="tool")) >= 3
    assert clauses("a | b | c\nd | e | f") == ["a | b | c", "d | e | f"]


def test_a_language_without_rules_fades_by_word() -> None:
    (message,) = written("mi nie było go w domu a on już tam jest i ja też")
    _, (numbers,) = score_page([message])
    assert (numbers == -1).all()


def test_a_clause_fades_as_a_whole_and_its_facts_stay() -> None:
    messages = written(
        "The painter went to the old harbour near the mill, and it was lovely there with all of the boats.",
        "We met Ann there two weeks ago, but the weather was rather grey and damp in the afternoon.",
        "The gulls cried above the roofs, because the boats came home with fish for the whole town.",
    )
    salience, numbers = score_page(messages)
    joined = [MessageWords(m.entry, m.words, m.bits, own) for m, own in zip(messages, numbers, strict=True)]

    def cells(entries: object) -> int:
        return max(span.stop for span in Typesetter().page(entries).placements)  # type: ignore[arg-type]

    for room in range(60, 280, 10):
        page = fade(joined, salience, room, cells)
        partly = 0
        for message, own, scores, kept in zip(messages, numbers, salience, page.kept, strict=True):
            plain = np.array([message.entry.content[word.start].isalnum() for word in message.words]) & (scores < 3)
            for number in set(own.tolist()):
                inside = kept[(own == number) & plain]
                partly += bool(inside.any() and not inside.all())
        assert partly <= 1, room
        assert {"Ann", "two"} <= set(" ".join(text.text for text in page.texts).split())


def test_facts_stay_in_a_larger_capacity_and_a_page_says_where_they_do_not() -> None:
    messages = written("Numbers 4711 and 4712 and 4713 and 4714 and so on and so on and on.")
    salience, _ = score_page(messages)

    def cells(entries: object) -> int:
        return max(span.stop for span in Typesetter().page(entries).placements)  # type: ignore[arg-type]

    small, large = (fade(messages, salience, 12, cells, fact_capacity=room) for room in (None, 60))
    assert small.facts_faded
    assert small.size <= 12
    assert not large.facts_faded
    assert all(number in large.texts[0].text for number in ("4711", "4712", "4713", "4714"))
    assert large.size <= 60
