"""Which words stay on a page: those with the most salience, as many as fit, and the same ones whatever came before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.texts import texts

from foxing.renderer import Entry, Typesetter
from foxing.renderer.breaks import Edge
from foxing.renderer.fading import FadedPage, MessageWords, fade, words_of

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
Salience = list[npt.NDArray[np.float64]]


def written(*contents: str) -> list[MessageWords]:
    """Messages whose words take 8 bits a character."""
    messages = []
    for number, content in enumerate(contents):
        words = words_of(content)
        bits = np.array([8.0 * (word.stop - word.start) for word in words])
        messages.append(MessageWords(Entry(f"m{number}", "user", content, AT, "t", "Ann"), words, bits))
    return messages


def cells(entries: Sequence[Entry]) -> int:
    """The cells that entries take on a page, as if each was a byte."""
    return max(span.stop for span in Typesetter().page(entries).placements)


def salience_of(messages: Sequence[MessageWords], by_word: dict[str, float]) -> Salience:
    return [np.array([by_word.get(m.entry.content[word.start : word.stop], 0.5) for word in m.words]) for m in messages]


def left(page: FadedPage) -> list[str]:
    return [entry.content for entry in page.entries]


def test_what_fits_stays_with_its_headers() -> None:
    messages = written("We met Ann.", "In Rome?")
    page = fade(messages, salience_of(messages, {}), 12_800, cells)
    assert page.entries == tuple(message.entry for message in messages)
    assert all(kept.all() for kept in page.kept)
    assert page.size == cells(page.entries)


def test_headers_fade_first() -> None:
    messages = written("We met Ann.", "In Rome?")
    page = fade(messages, salience_of(messages, {}), len("▶We met Ann.▶In Rome?"), cells)
    assert left(page) == ["We met Ann.", "In Rome?"]
    assert not any(entry.header for entry in page.entries)
    assert Typesetter().page(page.entries).text == "▶We met Ann.▶In Rome?"


@pytest.mark.parametrize(
    ("content", "begin", "end", "expected"),
    [
        ("ou know that we met tha", Edge.INSIDE, Edge.INSIDE, "⋯ know that we met ⋯"),
        ("ou know that we met tha", Edge.BETWEEN, Edge.BETWEEN, "ou know that we met tha"),
        ("ou know that we met tha", Edge.WHOLE, Edge.INSIDE, "ou know that we met ⋯"),
        ("aGVsbG8=, we met $92.", Edge.INSIDE, Edge.INSIDE, "⋯ we met ⋯"),
        ("世界で会いました東", Edge.INSIDE, Edge.INSIDE, "世界で会いました東"),
        (" know that we met ", Edge.INSIDE, Edge.INSIDE, " know that we met "),
    ],
)
def test_a_word_that_a_page_cuts_is_whole_or_gone(content: str, begin: Edge, end: Edge, expected: str) -> None:
    [message] = written(content)
    cut = replace(message, entry=replace(message.entry, begin=begin, end=end))
    assert left(fade([cut], salience_of([cut], {}), cells([cut.entry]) - 1, cells)) == [expected]


def test_lower_ranks_fade_first_and_within_a_rank_the_least_for_its_bits() -> None:
    messages = written("alpha beta gamma delta-delta-delta epsilon zeta")
    salience = {"alpha": 3.1, "beta": 2.1, "gamma": 2.9, "delta-delta-delta": 2.9, "epsilon": 1.9, "zeta": 0.9}
    by_room = [left(fade(messages, salience_of(messages, salience), room, cells))[0] for room in range(10, 60, 1)]
    assert list(dict.fromkeys(by_room)) == [
        "alpha ⋯",
        "alpha ⋯ gamma ⋯",
        "alpha ⋯ gamma delta-delta-delta ⋯",
        "alpha beta gamma delta-delta-delta ⋯",
        "alpha beta gamma delta-delta-delta epsilon ⋯",
        "alpha beta gamma delta-delta-delta epsilon zeta",
    ]


def test_punctuation_fades_with_the_first_word_beside_it() -> None:
    messages = written("alpha, beta. gamma? delta")
    salience = {"alpha": 3.5, "beta": 1.5, "gamma": 2.5, "delta": 0.5, ",": 3.9, ".": 3.9, "?": 0.1}
    by_room = [left(fade(messages, salience_of(messages, salience), room, cells))[0] for room in range(8, 27)]
    assert list(dict.fromkeys(by_room)) == [
        "alpha ⋯",
        "alpha ⋯ gamma? ⋯",
        "alpha, beta. gamma? ⋯",
        "alpha, beta. gamma? delta",
    ]


def test_the_end_of_a_message_fades_before_its_words_and_without_a_mark() -> None:
    messages = written("alpha beta!!!!!!", "gamma?")
    by_room = [left(fade(messages, salience_of(messages, {}), room, cells)) for room in (20, 24)]
    assert by_room == [["alpha beta", "gamma?"], ["alpha beta!!!!!!", "gamma?"]]


def test_a_message_without_words_left_is_one_gap_and_not_set_again() -> None:
    messages = written("one two", "three", "", " \n", "?!")
    page = fade(messages, salience_of(messages, {}), 0, cells)
    assert [text.text for text in page.texts] == ["⋯", "⋯", "", " \n", "⋯"]
    assert [entry.message_id for entry in page.entries] == ["m2", "m3"]
    assert page.size == cells(page.entries)


def test_where_nothing_is_left_there_is_still_a_page() -> None:
    messages = written("one two", "three")
    page = fade(messages, salience_of(messages, {}), 0, cells)
    assert [text.text for text in page.texts] == ["⋯", "⋯"]
    assert left(page) == ["⋯"]
    assert page.size == cells(page.entries)


def test_no_gap_takes_more_room_than_what_would_fade() -> None:
    (message,) = written("dinner in the old town of Rome")
    cheap = MessageWords(message.entry, message.words, np.array([40.0, 1.0, 1.2, 30.0, 30.0, 1.5, 30.0]))
    salience = salience_of([cheap], {"dinner": 3.5, "old": 2.1, "town": 2.2, "Rome": 3.1})
    by_room = [left(fade([cheap], salience, room, cells))[0] for room in range(8, 32)]
    assert list(dict.fromkeys(by_room)) == [
        "⋯",
        "dinner ⋯",
        "dinner ⋯ Rome",
        "dinner ⋯ town of Rome",
        "dinner in the old town of Rome",
    ]


words = st.text("abcdefg", min_size=2, max_size=9)
prose = st.lists(st.lists(words, min_size=1, max_size=60).map(" ".join), min_size=1, max_size=6)


def any_salience(data: st.DataObject, messages: Sequence[MessageWords]) -> Salience:
    seed = data.draw(st.integers(0, 999))
    return [np.random.default_rng(seed).uniform(0, 4, len(message.words)) for message in messages]


@given(prose, st.data(), st.tuples(st.integers(1, 1500), st.integers(1, 1500)))
@settings(deadline=None)
def test_a_word_that_stays_in_some_room_stays_in_any_by_3_percent_larger(
    contents: list[str], data: st.DataObject, rooms: tuple[int, int]
) -> None:
    messages = written(*contents)
    salience = any_salience(data, messages)
    least, most = sorted(rooms)
    small, large = (fade(messages, salience, room, cells) for room in (least, max(most, int(1.03 * least) + 1)))
    assert all((few <= many).all() for few, many in zip(small.kept, large.kept, strict=True))


@pytest.mark.slow
@given(prose, st.data(), st.tuples(st.integers(1, 1500), st.integers(1, 1500)))
@settings(deadline=None)
def test_step_by_step_is_as_at_once_but_for_3_percent_of_the_room(
    contents: list[str], data: st.DataObject, rooms: tuple[int, int]
) -> None:
    messages = written(*contents)
    salience = any_salience(data, messages)
    at_once = fade(messages, salience, min(rooms), cells)
    first = fade(messages, salience, max(rooms), cells)
    again = []
    for message, text, kept in zip(messages, first.texts, first.kept, strict=True):
        entry = text.entry(message.entry)
        words = words_of(entry.content, entry.gaps)
        assert len(words) == kept.sum()
        again.append(MessageWords(entry, words, message.bits[kept]))
    rest = [scores[kept] for scores, kept in zip(salience, first.kept, strict=True)]
    stepwise = fade(again, rest, min(rooms), cells)
    stays = [each.copy() for each in first.kept]
    for all_words, few in zip(stays, stepwise.kept, strict=True):
        all_words[all_words] = few
    pairs = list(zip(stays, at_once.kept, strict=True))
    assert all((a <= b).all() for a, b in pairs) or all((b <= a).all() for a, b in pairs)
    if any((a != b).any() for a, b in pairs):
        assert min(stepwise.size, at_once.size) >= 0.97 * min(rooms)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_room_is_used_and_little_is_encoded(share: float) -> None:
    random = np.random.default_rng(7)
    letters = np.array(list("abcdefghij"))
    contents = [" ".join("".join(random.choice(letters, random.integers(1, 9))) for _ in range(40)) for _ in range(30)]
    messages = written(*contents)
    sizes: list[int] = []

    def size(entries: Sequence[Entry]) -> int:
        sizes.append(cells(entries))
        return sizes[-1]

    salience = [random.uniform(0, 4, len(message.words)) for message in messages]
    room = int(share * cells([replace(message.entry, header=False) for message in messages]))
    page = fade(messages, salience, room, size)
    assert 0.97 * room <= page.size <= room
    assert page.size == cells(page.entries)
    assert len(sizes) <= 4


@given(st.lists(texts, min_size=1, max_size=4), st.integers(0, 200), st.data())
@settings(deadline=None)
def test_any_text_fades(contents: list[str], room: int, data: st.DataObject) -> None:
    messages = written(*contents)
    page = fade(messages, any_salience(data, messages), room, cells)
    assert page.size == cells(page.entries)
    assert [text.text for text in page.texts if text.text != "⋯"] == [text for text in left(page) if text != "⋯"]
    assert page.size <= room or not any(entry.header for entry in page.entries)
