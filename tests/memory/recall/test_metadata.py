"""Metadata of messages: stored, returned, counted, and what recall filters by."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from foxing.memory import Conflict, InvalidCursor, InvalidInput, Memory
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.values.metadata import MAX_METADATA_BYTES

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("words_alone", "message_ages")]

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
KEY = """a "quoted" key, $.with [0] 'all'"""


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        yield opened


def message(number: int, **metadata: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=60 - number)
    return {"id": f"m{number}", "role": "user", "content": "titan ships", "created_at": at, "metadata": metadata}


def found(memory: Memory, query: str | None = None, **wanted: Any) -> list[str]:
    return sorted(span.message_id for span in memory.recall("ana", query, metadata=wanted).spans)


def test_metadata_comes_back_open_sealed_and_exported(memory: Memory) -> None:
    metadata = {"channel": "계획", "turn": 3, "nested": {"list": [1, None, 2.5]}}
    memory.store("ana", [message(0, **metadata), {"id": "n", "role": "user", "content": "none"}])
    assert memory.message("ana", "m0").metadata == metadata
    memory.seal("ana")
    memory.age("ana", now=NOW + timedelta(days=8))
    assert memory.message("ana", "m0").metadata == metadata
    assert memory.message("ana", "n").metadata == {}
    assert [m.metadata for m in memory.export("ana")] == [metadata, {}]


def test_metadata_counts_in_the_bytes_of_the_bank(memory: Memory) -> None:
    memory.store("ana", [message(0)])
    before = memory.bank("ana").bytes.metadata
    memory.store("bo", [message(0, note="x" * 500)])
    assert memory.bank("bo").bytes.metadata == before + len('{"note": ""}') + 500


@pytest.mark.parametrize("query", [None, "titan"])
def test_recall_filters_by_equal_values(memory: Memory, query: str | None) -> None:
    memory.store(
        "ana",
        [
            message(0, user="ana", turn=1, done=True, note=None),
            message(1, user="bo", turn=1.0, done=False, **{KEY: "it's"}),
            message(2, user="ana", turn="1", done=1, nested={"user": "bo"}),
            message(3),
        ],
    )
    assert found(memory, query) == ["m0", "m1", "m2", "m3"]
    assert found(memory, query, user="ana") == ["m0", "m2"]
    assert found(memory, query, user="ana", done=True) == ["m0"]
    assert found(memory, query, turn=1) == found(memory, query, turn=1.0) == ["m0", "m1"]
    assert found(memory, query, turn="1") == ["m2"]
    assert found(memory, query, done=True) == ["m0"]
    assert found(memory, query, done=1) == ["m2"]
    assert found(memory, query, note=None) == ["m0"]
    assert found(memory, query, nested="bo") == []
    assert found(memory, query, **{KEY: "it's"}) == ["m1"]
    memory.seal("ana")
    assert found(memory, query, user="ana") == ["m0", "m2"]


def test_images_and_cursors_keep_to_the_filter(memory: Memory) -> None:
    memory.store("ana", [message(number, even=number % 2 == 0) for number in range(6)])
    first = memory.recall("ana", "titan", metadata={"even": True}, limit=2)
    rest = memory.recall("ana", "titan", metadata={"even": True}, limit=2, cursor=first.next_cursor)
    assert {span.message_id for span in first.spans + rest.spans} == {"m0", "m2", "m4"}
    with pytest.raises(InvalidCursor):
        memory.recall("ana", "titan", metadata={"even": False}, cursor=first.next_cursor)
    memory.seal("ana")
    images = memory.recall_images("ana", "titan", metadata={"even": True}).images
    assert sorted(images[0].message_ids) == ["m0", "m2", "m4"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"a": [1]}, "'a' cannot be compared with a list"),
        ({"a": {}}, "'a' cannot be compared with a dict"),
        ({"a": float("inf")}, "finite"),
        ({1: "x"}, "valid string"),
        ({"a": "x" * 3_000}, "exceed the limit of 2,048"),
        ({"a": "\ud800"}, "surrogate"),
    ],
)
def test_invalid_filters_are_refused(memory: Memory, wanted: Any, reason: str) -> None:
    memory.store("ana", [message(0)])
    with pytest.raises(InvalidInput, match=reason):
        memory.recall("ana", metadata=wanted)


@pytest.mark.parametrize(
    "metadata",
    [
        [1],
        {1: "x"},
        {"a": datetime(2026, 3, 2, tzinfo=UTC)},
        {"a": float("nan")},
        {"a": "\ud800"},
        {"a": "한" * 700},
    ],
)
def test_invalid_metadata_is_refused(memory: Memory, metadata: Any) -> None:
    with pytest.raises(InvalidInput, match=r"messages\[0\]: metadata"):
        memory.store("ana", [{**message(0), "metadata": metadata}])
    assert memory.banks().banks == []


def test_metadata_may_be_as_large_as_allowed(memory: Memory) -> None:
    largest = {"a": "x" * (MAX_METADATA_BYTES - len('{"a":""}'))}
    memory.store("ana", [message(0, **largest), message(1, a="\\u0000", b="\0\x10")])
    assert memory.message("ana", "m0").metadata == largest
    assert memory.message("ana", "m1").metadata == {"a": "\\u0000", "b": "\0\x10"}
    with pytest.raises(InvalidInput, match="2,049 bytes of JSON exceed the limit of 2,048"):
        memory.store("ana", [message(2, a=largest["a"] + "x")])


def test_metadata_is_part_of_what_a_message_is(memory: Memory) -> None:
    memory.store("ana", [message(0, user="ana", turn=1)])
    assert memory.store("ana", [{**message(0), "metadata": {"turn": 1, "user": "ana"}}]).duplicates == 1
    for other in ({}, {"user": "ana"}, {"user": "ana", "turn": True}):
        with pytest.raises(Conflict):
            memory.store("ana", [message(0, **other)])
    with pytest.raises(Conflict, match="occurs twice"):
        memory.store("ana", [message(1, turn=1), message(1, turn=True)])


def test_no_metadata_and_empty_metadata_are_the_same(memory: Memory) -> None:
    memory.store("ana", [message(0)])
    assert memory.store("ana", [{**message(0), "metadata": None}]).duplicates == 1


def test_the_filter_is_a_containment_of_jsonb_in_postgresql() -> None:
    (condition,) = MessageFilter(metadata={"user": "ana"}).conditions()
    sql = str(condition.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "messages.metadata @> CAST(" in sql
    assert "AS JSONB)" in sql
