"""Answers of few messages of great length, each of which takes little memory."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from foxing.memory import Memory, MemoryOptions, RecallQuery
from foxing.memory.recall import candidates, matches, spans
from foxing.memory.storage.repositories import messages

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NUMBER = 12
CHARS = 6000  # of a message, which is found by several passages
KEYS = [f"m{number:02}" for number in range(NUMBER)]


@pytest.fixture(scope="module", params=["open", "sealed"])
def memory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A talk of `NUMBER` messages about Lisbon, which the tests only read."""
    path = tmp_path_factory.mktemp(request.param) / "foxing.db"
    with Memory(path, clock=lambda: NOW, options=MemoryOptions(embedder="none")) as memory:
        for number, key in enumerate(KEYS):
            text = (f"Lisbon {number} is lovely. " * 1000)[:CHARS]
            at = NOW - timedelta(days=20 - number)
            memory.store("ana", [{"id": key, "role": "user", "content": text, "created_at": at}])
        if request.param == "sealed":
            memory.seal("ana")
        yield memory


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many characters each call reads from the database for an answer."""
    counted: list[int] = []
    by_ids = messages.by_ids

    def watched(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, messages.Message]:
        found = by_ids(connection, bank_id, ids)
        counted.append(sum(message.chars for message in found.values()))
        return found

    monkeypatch.setattr(messages, "by_ids", watched)
    return counted


def answers(memory: Memory, query: str | None = None, **fields: Any) -> list[list[str]]:
    """Ids of the messages of all parts of an answer."""
    built, parts = RecallQuery.build(query, **fields), []
    while True:
        part = memory.recall("ana", built, cursor=built.cursor)
        parts.append([span.message_id for span in part.spans])
        assert part.next_cursor is None or part.spans
        if part.next_cursor is None:
            return parts
        built = RecallQuery.build(built, cursor=part.next_cursor)


@pytest.mark.slow
def test_a_list_of_long_messages_comes_in_parts(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "ANSWER_CHARS", 5 * CHARS)
    assert answers(memory, limit=500) == [KEYS[:5], KEYS[5:10], KEYS[10:]]
    assert [span.message_id for span in memory.export("ana")] == KEYS
    monkeypatch.setattr(matches, "ANSWER_CHARS", CHARS // 2)
    assert answers(memory, limit=500) == [[key] for key in KEYS]


@pytest.mark.slow
def test_passages_of_long_messages_come_in_parts(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answers(memory, "lovely Lisbon", limit=500)
    monkeypatch.setattr(matches, "READ_CHARS", 5 * CHARS)
    parts = answers(memory, "lovely Lisbon", limit=500)
    assert len(parts) >= 3
    assert all(len(set(part)) <= 5 for part in parts)
    monkeypatch.setattr(matches, "ANSWER_CHARS", CHARS)
    shown = answers(memory, "lovely Lisbon", limit=500)
    assert len(shown) > len(parts)
    for given in (parts, shown):
        assert sorted(key for part in given for key in part) == sorted(key for part in whole for key in part)


@pytest.mark.slow
def test_long_neighbours_are_left_out(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"limit": 1, "neighbours": 3, "since": NOW - timedelta(days=17, hours=1)}
    [match, *near] = [span.message_id for span in memory.recall("ana", "Lisbon 6", **fields).spans]
    assert (match, near) == ("m06", KEYS[3:6] + KEYS[7:10])
    monkeypatch.setattr(matches, "ANSWER_CHARS", 3 * CHARS)
    assert [span.message_id for span in memory.recall("ana", "Lisbon 6", **fields).spans] == [match, "m04", "m05"]


@pytest.mark.parametrize("query", [None, "lovely Lisbon"])
def test_few_long_messages_are_read_at_once(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, read: list[int], query: str | None
) -> None:
    whole = answers(memory, query, limit=500)
    assert max(read) > 3 * CHARS
    read.clear()
    monkeypatch.setattr(messages, "MAX_CHARS", 3 * CHARS)
    monkeypatch.setattr(candidates, "FEW", 1)
    monkeypatch.setattr(spans, "PART_CHARS", CHARS)
    assert answers(memory, query, limit=500) == whole
    assert max(read) <= 3 * CHARS


def test_a_long_message_is_put_together_once(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    split: list[str] = []
    split_passages = spans.split_passages
    monkeypatch.setattr(spans, "split_passages", lambda text: [split.append(text), split_passages(text)][1])
    monkeypatch.setattr(spans, "PART_CHARS", CHARS)
    [keys] = answers(memory, "lovely Lisbon", limit=500)
    assert len(keys) > len(set(keys))
    assert len(split) == len(set(keys))


def test_messages_that_wait_are_read_a_few_at_a_time(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, read: list[int]
) -> None:
    monkeypatch.setattr(messages, "MAX_CHARS", 3 * CHARS)
    given = memory.recall("ana", limit=500, max_tokens=500)
    assert (given.spans[0].message_id, len(given.left_out)) == ("m00", NUMBER - 1)
    rest = memory.recall("ana", limit=500, cursor=given.next_cursor)
    assert [span.message_id for span in rest.spans] == KEYS[1:]
    assert max(read) <= 3 * CHARS
