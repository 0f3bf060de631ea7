"""Recall queries as values."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from foxing.memory import InvalidInput, InvalidTime, Memory, RecallQuery

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    """Four open messages about Titan, one a day."""
    with Memory(database_url, clock=lambda: NOW) as opened:
        opened.store(
            "ana",
            [
                {"id": str(n), "role": "user", "content": f"Titan, day {n}", "created_at": NOW - timedelta(days=n)}
                for n in range(4)
            ],
        )
        yield opened


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"query": "Titan"},
        {"query": "Titan", "limit": 2},
        {"query": "Titan", "max_tokens": 9, "fidelity": "verbatim"},
        {"since": "2 days ago", "until": NOW, "now": NOW, "timezone": "Asia/Seoul", "thread": "main"},
    ],
)
def test_a_query_value_answers_as_keywords_do(memory: Memory, fields: dict[str, Any]) -> None:
    assert memory.recall("ana", RecallQuery(**fields)) == memory.recall("ana", **fields)


def test_keywords_replace_fields_of_a_query_value(memory: Memory) -> None:
    query = RecallQuery(query="Titan", limit=3)
    first = memory.recall("ana", query)
    rest = memory.recall("ana", query, cursor=first.next_cursor)
    assert (len(first.spans), len(rest.spans)) == (3, 1)
    assert query.cursor is None


def test_images_are_recalled_by_the_same_value(memory: Memory) -> None:
    memory.seal("ana")
    query = RecallQuery(query="Titan")
    assert memory.recall_images("ana", query) == memory.recall_images("ana", "Titan")
    for text_only in ({"max_tokens": 100}, {"fidelity": "verbatim"}):
        with pytest.raises(InvalidInput, match="apply only to text"):
            memory.recall_images("ana", RecallQuery(query="Titan", **text_only))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"query": "x" * 10_001}, InvalidInput),
        ({"limit": 0}, InvalidInput),
        ({"limit": 501}, InvalidInput),
        ({"max_tokens": 0}, InvalidInput),
        ({"fidelity": "perfect"}, InvalidInput),
        ({"now": datetime(2026, 6, 1)}, InvalidTime),  # noqa: DTZ001
    ],
)
def test_a_query_validates_itself(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        RecallQuery.from_fields(fields)


def test_unknown_fields_are_rejected(memory: Memory) -> None:
    with pytest.raises(TypeError, match="max_tokns"):
        memory.recall("ana", "Titan", max_tokns=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="devise"):
        Memory(":memory:", devise="cpu")  # type: ignore[call-arg]


def test_a_query_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RecallQuery().limit = 5  # type: ignore[misc]
