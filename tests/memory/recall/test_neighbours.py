"""Neighbours: the messages around a match lend and are lent its score, and come with it if asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from foxing.memory import InvalidInput, Memory, RecallResult
from foxing.memory.index.scores import Scores
from foxing.memory.recall.ranking import LENDERS, TimePreference, lend, lenders, ranked
from foxing.memory.text.passages import document_key, message_of
from foxing.memory.text.times import Window

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TALK = ("hello", "how was it", "where did you stay in Lisbon", "at my aunt's", "nice", "sunny too", "bye", "see you")


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    """A talk of eight messages, one a day, between those of another thread."""
    with Memory(database_url, clock=lambda: NOW) as opened:
        for number, text in enumerate(TALK):
            at = NOW - 20 * DAY + number * DAY
            metadata = {"kind": "small talk" if number == 4 else "travel"}
            talk = {"id": f"t{number}", "thread": "talk", "content": text, "metadata": metadata}
            noise = {"id": f"n{number}", "thread": "noise", "content": f"row {number}"}
            opened.store("ana", [{"role": "user", "created_at": at, **item} for item in (talk, noise)])
        yield opened


def ids(result: RecallResult) -> list[str]:
    return [span.message_id for span in result.spans]


def test_the_messages_around_a_match_are_found_with_it(memory: Memory) -> None:
    assert ids(memory.recall("ana", "Lisbon")) == ["t2", "t3", "t1", "t4", "t0", "t5"]


def test_neighbours_that_the_query_leaves_out_are_not_found(memory: Memory) -> None:
    assert ids(memory.recall("ana", "Lisbon", since=NOW - 18 * DAY)) == ["t2", "t3", "t4", "t5"]
    assert "t4" not in ids(memory.recall("ana", "Lisbon", metadata={"kind": "travel"}))


@pytest.mark.parametrize("sealed", [False, True])
def test_neighbours_come_with_their_match(memory: Memory, sealed: bool) -> None:
    if sealed:
        memory.seal("ana")
    answer = memory.recall("ana", "Lisbon", limit=1, neighbours=2)
    assert [(span.message_id, span.neighbour_of) for span in answer.spans] == [
        *[("t2", None), ("t0", "t2"), ("t1", "t2"), ("t3", "t2"), ("t4", "t2")]
    ]
    assert all((span.score is None) == (span.neighbour_of is not None) for span in answer.spans)
    rest = memory.recall("ana", "Lisbon", limit=9, cursor=answer.next_cursor)
    assert ids(rest) == ["t5"]  # what came as a neighbour does not come again
    assert memory.recall("ana", "Lisbon", limit=1, neighbours=0).spans == answer.spans[:1]


@pytest.mark.parametrize("sealed", [False, True])
def test_neighbours_can_be_named_without_their_text(memory: Memory, sealed: bool) -> None:
    if sealed:
        memory.seal("ana")
    shown = memory.recall("ana", "Lisbon", limit=2, neighbours=2)
    named = memory.recall("ana", "Lisbon", limit=2, neighbours=2, neighbour_text=False)
    matches = [span for span in shown.spans if span.neighbour_of is None]
    beside: dict[str, list[str]] = {match.message_id: [] for match in matches}
    for span in shown.spans:
        if span.neighbour_of is not None:
            beside[span.neighbour_of].append(span.message_id)
    assert beside == {"t2": ["t0", "t1", "t4"], "t3": ["t5"]}
    assert {span.message_id: span.neighbour_ids for span in named.spans} == beside
    assert [span.model_copy(update={"neighbour_ids": []}) for span in named.spans] == matches
    assert named.text_tokens < shown.text_tokens
    assert [memory.message("ana", key).text for key in named.spans[0].neighbour_ids] == [TALK[0], TALK[1], TALK[4]]


def test_neighbours_follow_open_messages_that_come_and_go(memory: Memory) -> None:
    memory.recall("ana", "Lisbon", neighbours=2)
    memory.erase_message("ana", "t1")
    memory.store("ana", [{"role": "user", "id": "t8", "thread": "talk", "content": "Lisbon again", "created_at": NOW}])
    answer = memory.recall("ana", "Lisbon", limit=2, neighbours=1)
    beside = {span.message_id: span.neighbour_of for span in answer.spans}
    assert beside == {"t2": None, "t0": "t2", "t3": "t2", "t8": None, "t7": "t8"}


def test_a_message_comes_once_beside_its_first_match(memory: Memory) -> None:
    answer = memory.recall("ana", "Lisbon aunt", limit=2, neighbours=1)
    assert [(span.message_id, span.neighbour_of) for span in answer.spans] == [
        *[("t3", None), ("t4", "t3"), ("t2", None), ("t1", "t2")]
    ]


def test_neighbours_of_a_query_with_a_window_lie_in_it(memory: Memory) -> None:
    answer = memory.recall("ana", "Lisbon", limit=1, neighbours=5, since=NOW - 18 * DAY, metadata={"kind": "travel"})
    assert ids(answer) == ["t2", "t3", "t5", "t6", "t7"]
    assert ids(memory.recall("ana", neighbours=5, limit=3)) == ["t0", "n0", "t1"]  # a list in time order has them all


def test_neighbours_fill_the_budget_after_their_match(memory: Memory) -> None:
    alone = memory.recall("ana", "Lisbon", limit=1)
    assert ids(memory.recall("ana", "Lisbon", limit=1, neighbours=5, max_tokens=alone.text_tokens)) == ["t2"]
    more = memory.recall("ana", "Lisbon", limit=1, neighbours=5, max_tokens=alone.text_tokens + 35)
    assert 1 < len(more.spans) < 8
    assert more.text_tokens <= alone.text_tokens + 35
    assert more.left_out == []


def test_a_verbatim_answer_has_exact_neighbours(memory: Memory) -> None:
    memory.seal("ana")
    memory.age("ana", now=NOW)
    memory.store("ana", [{"id": "last", "thread": "talk", "role": "user", "content": "Lisbon again"}])
    assert ids(memory.recall("ana", "Lisbon", limit=1, neighbours=3, fidelity="verbatim")) == ["last"]


@pytest.mark.parametrize("number", [-1, 6])
def test_the_number_of_neighbours_is_checked(memory: Memory, number: int) -> None:
    with pytest.raises(InvalidInput, match="neighbours: Input should be"):
        memory.recall("ana", "Lisbon", neighbours=number)


def test_what_is_lent_falls_with_distance_and_adds_up() -> None:
    around = np.array([[1, 0, 0, 0, 2, 3, 4], [3, 2, 1, 0, 4, 0, 0]])
    scores = of_messages({1: 3.0, 3: 1.5, 9: 1.0})  # the last one is in the index alone
    lent = by_document(lend(scores, scores, around, {}))
    wanted = {1: 3.0 + 0.4, 2: 1.2 + 0.6, 3: 1.5 + 0.8, 4: 0.4 + 0.6, 9: 1.0}
    assert lent == pytest.approx(by_document(of_messages(wanted)))
    many = lenders(Scores.of({i: float(i) for i in range(-5, 2 * LENDERS)}))
    assert many.documents.tolist() == many.values.tolist() == list(range(2 * LENDERS - 1, LENDERS - 1, -1))
    assert len(lenders(Scores.of({1: 0.0, 2: -1.0}))) == 0


def test_a_passage_lends_to_those_beside_it_and_over_the_end_of_its_message() -> None:
    scores = Scores.of({document_key(7, 1): 3.0})
    lent = lend(scores, scores, np.array([[7, 4, 0, 0, 9, 10, 0]]), {4: 2, 7: 4, 9: 3})
    beside = {(7, 0): 1.2, (4, 1): 0.8, (4, 0): 0.4, (7, 2): 1.2, (7, 3): 0.8, (9, 0): 0.4, (7, 1): 3.0}
    assert by_document(lent) == pytest.approx({document_key(i, n): score for (i, n), score in beside.items()})


def by_document(scores: Scores) -> dict[int, float]:
    return dict(zip(scores.documents.tolist(), scores.values.tolist(), strict=True))


def of_messages(scores: dict[int, float]) -> Scores:
    """Scores of messages that are one passage."""
    return Scores.of({document_key(i, 0): score for i, score in scores.items()})


def test_a_preferred_time_moves_the_ranking() -> None:
    window = Window(NOW, NOW + DAY)
    preference = TimePreference(window)
    times = {1: NOW - DAY, 2: NOW, 3: NOW + DAY, 4: NOW + 14 * DAY, 5: NOW + 15 * DAY}
    factors = {i: preference.factor(at) for i, at in times.items()}
    assert factors == {1: 0.5, 2: 1.0, 3: 0.95, 4: 0.95, 5: 0.5}
    scores = of_messages(dict.fromkeys(times, 1.0))
    assert message_of(ranked(scores, preference, times).documents).tolist() == [2, 4, 3, 5, 1]
    del times[2]  # erased meanwhile
    assert message_of(ranked(scores, preference, times).documents).tolist() == [4, 3, 5, 1]
    assert TimePreference(Window(None, NOW)).factor(NOW - 400 * DAY) == 1
    assert TimePreference(Window(NOW, None)).factor(NOW + 400 * DAY) == 1
    at_the_end = TimePreference(Window(None, datetime.max.replace(tzinfo=UTC)))
    assert at_the_end.factor(NOW) == 1


def test_a_message_of_the_preferred_time_is_found_among_many(database_url: str) -> None:
    with Memory(database_url, clock=lambda: NOW) as memory:

        def store(first: int, count: int, at: datetime) -> None:
            items = [
                {"id": str(n), "thread": str(n), "role": "user", "content": "Titan", "created_at": at}
                for n in range(first, first + count)
            ]
            memory.store("ana", items)

        store(0, 1, NOW - 21 * DAY)
        store(1, 1100, NOW - DAY)  # each as good as the first, and newer
        assert memory.recall("ana", "Titan 3 weeks ago", limit=1).spans[0].message_id == "0"
        seen: list[str] = []
        cursor = None
        for _ in range(3):
            part = memory.recall("ana", "Titan 3 weeks ago", limit=500, cursor=cursor)
            seen += ids(part)
            cursor = part.next_cursor
        assert cursor is None
        assert len(seen) == len(set(seen)) == 1101
