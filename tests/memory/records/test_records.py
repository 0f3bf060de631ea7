"""Records of a memory: exact values, versions, expiry, lists and searches."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import JsonValue

from foxing.memory import Conflict, InvalidCursor, InvalidInput, Memory, MemoryOptions, NotFound
from foxing.memory.index.embedder import Embeddings

BANK = "ana"
STARTS_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = STARTS_AT

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class SlowEmbedder:
    """All texts are the same to it."""

    name = "slow"
    dimensions = 2
    slow = True

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)

    embed_queries = embed_documents


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(database_url: str, clock: Clock) -> Iterator[Memory]:
    with Memory(database_url, clock=clock) as memory:
        yield memory


def put(key: str, value: JsonValue, *namespace: str, **fields: Any) -> dict[str, Any]:
    return {"op": "put", "namespace": namespace or ("notes",), "key": key, "value": value, **fields}


def version_of(memory: Memory, write: dict[str, Any]) -> int:
    version = memory.records.write(BANK, [write]).changes[0].version
    assert version is not None
    return version


def value_of(memory: Memory, key: str, *namespace: str) -> JsonValue:
    """The value of a record, or None."""
    record = memory.records.get(BANK, [{"namespace": namespace or ("notes",), "key": key}]).records[0]
    return None if record is None else record.value


def keys(memory: Memory, **fields: Any) -> list[str]:
    return [record.key for record in memory.records.search(BANK, **fields).records]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "a\0b ☂ 한국어 \U0001f98a\r\n\x1f",
        {"z": 1, "a": 1.0, "big": 10**40, "tiny": 5e-324, "nested": [{"b": [None, True, False, -0.0]}], "": {}},
        [],
        12345678901234567890,
    ],
)
def test_a_value_comes_back_exactly(memory: Memory, value: JsonValue) -> None:
    memory.records.write(BANK, [put("k", value)])
    found = memory.records.get(BANK, [{"namespace": ["notes"], "key": "k"}]).records[0]
    assert found is not None
    assert repr(found.value) == repr(value)  # order of members, and 1.0 apart from 1
    assert (found.namespace, found.key, found.created_at) == (["notes"], "k", STARTS_AT)


def test_storing_again_replaces_the_value_and_keeps_the_place(memory: Memory, clock: Clock) -> None:
    first = version_of(memory, put("a", 1))
    memory.records.write(BANK, [put("b", 2)])
    clock.advance(60)
    second = version_of(memory, put("a", 3))
    assert second > first
    record = memory.records.search(BANK).records[0]
    assert (record.key, record.value, record.version) == ("a", 3, second)
    assert (record.created_at, record.updated_at) == (STARTS_AT, STARTS_AT + timedelta(seconds=60))
    assert keys(memory, order="newest") == ["b", "a"]
    assert keys(memory, order="updated") == ["a", "b"]


def test_a_prefix_matches_whole_labels(memory: Memory) -> None:
    memory.records.write(
        BANK,
        [put("1", 1, "tenant", "acme"), put("2", 2, "tenant", "acme-corp"), put("3", 3, "tenant", "acme", "emea")],
    )
    memory.records.write(BANK, [put("4", 4, "tenant", "acme%"), put("5", 5, "tenant"), put("6", 6, "Tenant", "acme")])
    assert keys(memory, namespace=["tenant", "acme"]) == ["1", "3"]
    assert keys(memory, namespace=["tenant", "acme"], exact=True) == ["1"]
    assert keys(memory, namespace=["tenant"]) == ["1", "2", "3", "4", "5"]
    assert keys(memory, namespace=["ten"]) == []
    assert memory.records.namespaces(BANK, prefix=["tenant", "acme"]).namespaces == [
        ["tenant", "acme"],
        ["tenant", "acme", "emea"],
    ]
    cleared = memory.records.write(BANK, [{"op": "clear", "namespace": ["tenant", "acme"]}])
    assert cleared.changes[0].deleted == 2
    assert keys(memory, namespace=["tenant"]) == ["2", "4", "5"]


def test_a_write_takes_place_only_on_the_version_that_was_read(memory: Memory) -> None:
    first = version_of(memory, put("k", "one", if_version=0))
    with pytest.raises(Conflict, match="another writer"):
        memory.records.write(BANK, [put("other", 1), put("k", "two", if_version=0)])
    assert value_of(memory, "other") is None  # all or none
    second = version_of(memory, put("k", "two", if_version=first))
    with pytest.raises(Conflict):
        memory.records.write(BANK, [{"op": "delete", "namespace": ["notes"], "key": "k", "if_version": first}])
    change = memory.records.write(
        BANK, [{"op": "delete", "namespace": ["notes"], "key": "k", "if_version": second}]
    ).changes[0]
    assert (change.version, change.deleted) == (None, 1)
    third = version_of(memory, put("k", "three"))
    assert third > second  # a version never comes back, not even after a deletion
    with pytest.raises(Conflict):
        memory.records.write(BANK, [put("k", "four", if_version=second)])


def test_the_writes_of_a_call_see_each_other(memory: Memory) -> None:
    delete = {"op": "delete", "namespace": ["notes"], "key": "k"}
    first = memory.records.write(BANK, [put("k", 1), put("k", 2), put("other", 1), put("x", 1, "notes", "below")])
    assert [change.version for change in first.changes] == [1, 2, 3, 4]
    assert value_of(memory, "k") == 2
    writes = [put("k", 3, if_version=2), delete, delete, put("k", 4, if_version=0)]
    changes = memory.records.write(BANK, writes).changes
    assert [(change.version, change.deleted) for change in changes] == [(5, 0), (None, 1), (None, 0), (6, 0)]
    assert keys(memory) == ["other", "x", "k"]
    clear = {"op": "clear", "namespace": ["notes"]}
    changes = memory.records.write(BANK, [put("new", 1), clear, put("k", 5, if_version=0), delete]).changes
    assert [(change.version, change.deleted) for change in changes] == [(7, 0), (None, 4), (8, 0), (None, 1)]
    assert keys(memory) == []


def test_a_repeated_write_does_nothing_twice(memory: Memory) -> None:
    writes = [put("k", 1), {"op": "clear", "namespace": ["old"]}]
    first = memory.records.write(BANK, writes, idempotency_key="one")
    memory.records.write(BANK, [put("k", 2)])
    assert memory.records.write(BANK, writes, idempotency_key="one") == first
    assert value_of(memory, "k") == 2
    with pytest.raises(Conflict, match="another request"):
        memory.records.write(BANK, [put("k", 3)], idempotency_key="one")
    with pytest.raises(Conflict, match="another request"):
        memory.store(BANK, [{"role": "user", "content": "hi"}], idempotency_key="one")


def test_records_expire(memory: Memory, clock: Clock) -> None:
    memory.records.write(BANK, [put("short", 1, ttl_s=10), put("long", 2, ttl_s=100), put("ever", 3)])
    clock.advance(9)
    memory.records.get(BANK, [{"namespace": ["notes"], "key": "long"}], refresh_ttl=True)
    clock.advance(1)
    assert keys(memory) == ["long", "ever"]
    assert value_of(memory, "short") is None
    assert version_of(memory, put("short", 4, if_version=0)) > 3
    clock.advance(98)  # 108 s after it was stored, 99 s after it was read
    assert keys(memory, refresh_ttl=True) == ["long", "ever", "short"]
    clock.advance(99)
    assert keys(memory, limit=1) == ["long"]
    clock.advance(1)
    memory.records.write(BANK, [put("x", 1)])
    assert keys(memory) == ["ever", "short", "x"]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("eq", 2, ["two"]),
        ("ne", 2, ["one", "text", "true", "none"]),
        ("gt", 1, ["two"]),
        ("gte", 1, ["one", "two"]),
        ("lt", 1.5, ["one"]),
        ("lte", 2, ["one", "two"]),
        ("eq", True, ["true"]),
        ("eq", 1.0, ["one"]),
        ("eq", None, ["none"]),
        ("gt", "a", ["text"]),
    ],
)
def test_conditions_compare_members(memory: Memory, op: str, value: JsonValue, expected: list[str]) -> None:
    held = {"one": {"n": 1}, "two": {"n": 2}, "text": {"n": "b"}, "true": {"n": True}, "none": {}}
    memory.records.write(BANK, [put(key, number) for key, number in held.items()])
    assert keys(memory, filter=[{"member": "n", "op": op, "value": value}]) == expected


@pytest.mark.usefixtures("words_alone")
def test_words_find_records(memory: Memory) -> None:
    memory.records.write(
        BANK,
        [
            put("a", {"text": "Mina prefers tea", "tags": ["drinks", "tea"]}),
            put("b", {"text": "Ben prefers coffee over tea and water"}),
            put("c", {"text": "nothing to see", "secret": "coffee"}, text="nothing to see"),
            put("d", "not indexed: tea", text=""),
        ],
    )
    assert keys(memory, query="who drinks tea") == ["a", "b"]
    assert keys(memory, query="coffee") == ["b"]
    assert keys(memory, query="coffee", filter=[{"member": "text", "value": "x"}]) == []
    found = memory.records.search(BANK, query="tea", limit=1)
    assert found.records[0].score is not None
    following = memory.records.search(BANK, query="tea", limit=1, cursor=found.next_cursor)
    assert [record.key for record in following.records] == ["b"]
    assert following.next_cursor is None
    memory.records.write(BANK, [{"op": "delete", "namespace": ["notes"], "key": "a"}])
    assert keys(memory, query="tea") == ["b"]


def test_meaning_and_words_find_records(memory: Memory) -> None:
    facts = {
        "diet": "Mina has not eaten meat or fish since 2019.",
        "pet": "Her dog is called Pipo and is afraid of thunder.",
        "paid": "Invoice INV-20931 was paid on 3 March.",
        "due": "Invoice INV-20932 is overdue.",
    }
    memory.records.write(BANK, [put(key, {"text": text}) for key, text in facts.items()])
    memory.records.write(BANK, [put("hidden", "a vegetarian meal", text=""), put("number", 7)])
    assert keys(memory, query="is she a vegetarian?")[0] == "diet"
    assert keys(memory, query="INV-20932")[0] == "due"
    found = memory.records.search(BANK, query="what is the name of her pet?").records
    assert found[0].key == "pet"
    scores = [record.score for record in found]
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert {record.key for record in found} == set(facts)
    memory.records.write(BANK, [put("pet", {"text": "nothing about animals: a list of bolts"})])
    assert memory.records.search(BANK, query="dog Pipo").records[0].score < 0.4  # type: ignore[operator]


def test_vectors_of_the_caller_find_records(memory: Memory) -> None:
    memory.records.write(
        BANK,
        [
            put("right", 1, text="one", vectors=[[3.0, 0.0], [0.0, 1e200]]),
            put("up", 2, text="two", vectors=[[0.0, 5.0]]),
            put("zero", 3, text="three", vectors=[[0.0, 0.0]]),
            put("longer", 4, text="four", vectors=[[1.0, 0.0, 0.0]]),
            put("none", 5, text="five", vectors=[]),
            put("own", 6),
        ],
    )
    found = memory.records.search(BANK, vector=[2.0, 0.0]).records
    assert [(record.key, record.score) for record in found] == [("right", 1.0), ("up", 0.0), ("zero", 0.0)]
    part = memory.records.search(BANK, vector=[0.0, 1.0], limit=1)
    assert part.records[0].key == "right"
    again = memory.records.search(BANK, vector=[0.0, 1.0], limit=1, cursor=part.next_cursor)
    assert again.records[0].key == "up"
    assert keys(memory, vector=[1.0] * 5) == []
    memory.operations.reindex(BANK)
    assert len(keys(memory, vector=[2.0, 0.0])) == 3


def test_records_stored_without_an_embedder_are_embedded_later(database_url: str) -> None:
    with Memory(database_url, options=MemoryOptions(embedder="none")) as memory:
        memory.records.write(BANK, [put("diet", {"text": "She eats no meat."}), put("n", 1)])
        assert keys(memory, query="vegetarian") == []
    with Memory(database_url) as memory:
        memory.operations.reindex(BANK)
        assert keys(memory, query="vegetarian") == ["diet"]


def test_the_time_to_live_begins_after_embedding(database_url: str, clock: Clock) -> None:
    class Loading(SlowEmbedder):
        slow = False

        def embed_documents(self, texts: Sequence[str]) -> Embeddings:
            clock.advance(60)
            return super().embed_documents(texts)

    with Memory(database_url, clock=clock, options=MemoryOptions(embedder=Loading())) as memory:
        memory.records.write(BANK, [put("k", "tea", ttl_s=1)])
        assert value_of(memory, "k") == "tea"


def test_a_slow_embedder_embeds_records_in_the_background(database_url: str) -> None:
    with Memory(database_url, options=MemoryOptions(embedder=SlowEmbedder())) as memory:
        memory.records.write(BANK, [put("a", "tea"), put("b", "")])
        assert keys(memory, query="coffee") == []
        memory.tick()
        assert keys(memory, query="coffee") == ["a"]


def test_conditions_reach_nested_members(memory: Memory) -> None:
    memory.records.write(
        BANK,
        [
            put("nested", {"user": {"access-level": "high", "tags": ["x"]}, "a.b": {"c": 1}}),
            put("flat", {"user.access-level": "high"}),
        ],
    )
    for member, value, expected in [
        ("user.access-level", "high", ["nested", "flat"]),
        ("user.tags", ["x"], ["nested"]),
        ("user.tags.0", None, ["nested", "flat"]),
        ("a.b", {"c": 1}, ["nested"]),
        ("user.access-level.more", "high", []),
    ]:
        assert keys(memory, filter=[{"member": member, "value": value}]) == expected


def test_labels_and_keys_may_hold_line_breaks(memory: Memory) -> None:
    for label in ("a", "a\n", "a\nb", "a\t"):
        memory.records.write(BANK, [put("k\n", label, label)])
    assert [record.value for record in memory.records.search(BANK, namespace=["a"]).records] == ["a"]
    assert [record.value for record in memory.records.search(BANK, namespace=["a\n"]).records] == ["a\n"]
    assert sorted(memory.records.namespaces(BANK).namespaces) == [["a"], ["a\t"], ["a\n"], ["a\nb"]]
    assert value_of(memory, "k\n", "a\nb") == "a\nb"


def test_a_check_fails_the_call_if_the_record_has_changed(memory: Memory) -> None:
    check: dict[str, Any] = {"op": "check", "namespace": ["notes"], "key": "k"}
    memory.records.write(BANK, [{**check, "if_version": 0}, put("other", 1)])
    version = version_of(memory, put("k", 1))
    changes = memory.records.write(BANK, [{**check, "if_version": version}, put("other", 2)]).changes
    assert (changes[0].version, changes[0].deleted) == (version, 0)
    with pytest.raises(Conflict):
        memory.records.write(BANK, [put("other", 3), {**check, "if_version": 0}])
    assert value_of(memory, "other") == 2


def test_keys_are_listed_from_the_last(memory: Memory) -> None:
    memory.records.write(BANK, [put(key, 1) for key in ("b", "a", "é", "c")] + [put("z", 1, "notes", "below")])
    assert keys(memory, namespace=["notes"], exact=True, order="last_key") == ["é", "c", "b", "a"]
    part = memory.records.search(BANK, namespace=["notes"], exact=True, order="last_key", limit=3)
    rest = memory.records.search(
        BANK, namespace=["notes"], exact=True, order="last_key", limit=3, cursor=part.next_cursor
    )
    assert ([record.key for record in rest.records], rest.next_cursor) == (["a"], None)
    with pytest.raises(InvalidInput, match="exact"):
        memory.records.search(BANK, order="last_key")


@pytest.mark.parametrize("order", ["oldest", "newest", "updated"])
def test_lists_are_paged(memory: Memory, order: str) -> None:
    memory.records.write(BANK, [put(f"k{number}", {"even": number % 2 == 0}) for number in range(9)])
    fields: dict[str, Any] = {"order": order, "limit": 2, "filter": [{"member": "even", "value": True}]}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        part = memory.records.search(BANK, **fields, cursor=cursor)
        seen += [record.key for record in part.records]
        cursor = part.next_cursor
        if cursor is None:
            break
        memory.records.write(BANK, [put("k1", {"even": False})])  # changes nothing of the list
    expected = ["k0", "k2", "k4", "k6", "k8"]
    assert seen == (expected if order == "oldest" else expected[::-1])
    assert keys(memory, **fields, offset=3) == seen[3:5]


def test_namespaces_are_paged(memory: Memory) -> None:
    memory.records.write(BANK, [put("k", 1, label) for label in ("b", "a", "c")] + [put("k2", 1, "a")])
    first = memory.records.namespaces(BANK, limit=2)
    assert first.namespaces == [["a"], ["b"]]
    assert memory.records.namespaces(BANK, limit=2, cursor=first.next_cursor).namespaces == [["c"]]
    with pytest.raises(InvalidCursor):
        memory.records.namespaces(BANK, prefix=["a"], cursor=first.next_cursor)


def test_banks_do_not_share_records(memory: Memory) -> None:
    memory.records.write(BANK, [put("k", "ana's")])
    with pytest.raises(NotFound):
        memory.records.search("ben")
    memory.records.write("ben", [put("k", "ben's")])
    assert value_of(memory, "k") == "ana's"
    before = memory.bank(BANK).bytes
    assert before.records > len("notes") + len("ana's")
    memory.records.write("ben", [{"op": "clear", "namespace": ["notes"]}])
    assert value_of(memory, "k") == "ana's"
    assert memory.bank("ben").bytes.records == 0
    assert memory.bank(BANK).bytes == before
    assert before.total >= before.records


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (put("", 1), "key"),
        (put("k\x00", 1), r"U\+0000"),
        (put("k", 1, "a\x1fb"), r"U\+001F"),
        (put("k", 1, vectors=[[1.0, 0.0], [1.0]]), "differ in length"),
        (put("k", 1, vectors=[[float("inf")]]), "vectors"),
        (put("k", 1, vectors=[[]]), "vectors"),
        ({"op": "check", "namespace": ["a"], "key": "k"}, "if_version"),
        (put("k", 1, ""), "namespace"),
        ({"op": "put", "namespace": [], "key": "k", "value": 1}, "namespace"),
        (put("k", "x" * (1 << 20)), "split the record"),
        (put("k", float("nan")), "NaN"),
        (put("k", "\ud800"), "surrogate"),
        (put("k\ud800", 1), "unicode"),
        (put("k", 1, text="\ud800"), "surrogate|unicode"),
        (put("k", 1, ttl_s=0), "ttl_s"),
        (put("k", 1, if_version=-1), "if_version"),
        (put("k", 1, unknown=1), "unknown"),
        ({"op": "rename", "namespace": ["a"], "key": "k"}, "rename"),
        ({"namespace": ["a"], "key": "k"}, "op"),
        (7, "writes"),
    ],
)
def test_an_invalid_write_stores_nothing(memory: Memory, write: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        memory.records.write(BANK, [put("fine", 1), write])
    with pytest.raises(NotFound):
        memory.bank(BANK)


def test_searches_are_validated(memory: Memory) -> None:
    memory.records.write(BANK, [put("k", 1)])
    for fields in ({"limit": 0}, {"limit": 501}, {"order": "random"}, {"namespace": [""]}, {"filter": [{"op": "eq"}]}):
        with pytest.raises(InvalidInput):
            memory.records.search(BANK, **fields)  # type: ignore[arg-type]
    for cursor in ("x", "W10", memory.records.namespaces(BANK).next_cursor or "WyJhIiwxXQ"):
        with pytest.raises(InvalidCursor):
            memory.records.search(BANK, cursor=cursor)
    with pytest.raises(InvalidInput, match="1 to 1,000"):
        memory.records.write(BANK, [])


def test_the_clock_deletes_what_has_expired(clock: Clock, database_path: Path) -> None:
    with Memory(database_path, clock=clock) as memory:
        memory.records.write(BANK, [put("short", "a text to forget", ttl_s=10), put("ever", 1)])
        held = memory.bank(BANK).bytes.records
        clock.advance(60)
        assert memory.bank(BANK).bytes.records == held
        memory.tick(now=clock.now)
        assert memory.bank(BANK).bytes.records < held
        assert keys(memory) == ["ever"]


def test_what_is_deleted_is_overwritten_by_the_next_tick(database_path: Path, clock: Clock) -> None:
    with Memory(database_path, clock=clock) as memory:
        memory.records.write(BANK, [put("gone", "a text to forget"), put("short", "another text to forget", ttl_s=10)])
        memory.records.write(BANK, [{"op": "delete", "namespace": ["notes"], "key": "gone"}])
        clock.advance(60)
        memory.tick(now=clock.now)
        memory.tick(now=clock.now)
        files = [database_path, database_path.with_name(f"{database_path.name}-wal")]
        assert not any(b"text to forget" in file.read_bytes() for file in files if file.exists())
