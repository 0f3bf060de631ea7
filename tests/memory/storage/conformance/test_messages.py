"""Messages, and the index of their terms."""

from datetime import timedelta

import pytest

from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.index.search_index import SearchQuery
from foxing.memory.storage import ages
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages, open_messages, sizes
from foxing.memory.storage.repositories.open_messages import SealedPart
from foxing.memory.values.policy import Age

from .conftest import NOW, ODD_TEXT, insert_messages, insert_page, insert_rows, new_message, new_page

pytestmark = pytest.mark.both_databases


def test_a_message_comes_back_as_it_was_stored(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        thread = banks.thread_ids(connection, bank_id, [ODD_TEXT])[ODD_TEXT]
        row = new_message(bank_id, thread, ODD_TEXT)
        row["name"], row["content"] = ODD_TEXT, ODD_TEXT * 1000
        row["digest"] = bytes(range(240, 256))
        (message_id,) = insert_rows(connection, bank_id, [row])
    with database.read() as connection:
        message = messages.by_keys(connection, bank_id, [ODD_TEXT])[ODD_TEXT]
        assert messages.by_ids(connection, bank_id, [message.id, 0]) == {message_id: message}
    assert (message.key, message.name, message.thread) == (ODD_TEXT, ODD_TEXT, ODD_TEXT)
    assert (message.content, message.digest) == (ODD_TEXT * 1000, bytes(range(240, 256)))
    assert (message.created_at, message.open, message.sealed_chars) == (NOW, True, 0)


def test_metadata_is_found_by_its_members(database: Database, bank_id: int) -> None:
    metadata = {"project": "한국어 ☂", "level": 2, "ratio": 0.5, "tags": ["a", None], "done": True}
    with database.write() as connection:
        thread = banks.thread_ids(connection, bank_id, ["main"])["main"]
        row = new_message(bank_id, thread, "with")
        row["metadata"], row["parts"] = metadata, 3
        insert_rows(connection, bank_id, [row, new_message(bank_id, thread, "without")])
    with database.read() as connection:
        found = messages.by_keys(connection, bank_id, ["with", "without"])
        assert (found["with"].metadata, found["with"].parts) == (metadata, 3)
        assert (found["without"].metadata, found["without"].parts) == (None, 0)
        within = MessageFilter(metadata={"project": "한국어 ☂", "level": 2, "done": True})
        assert [m.key for m in messages.window(connection, bank_id, within, after=None, limit=5)] == ["with"]
        within = MessageFilter(metadata={"level": 3})
        assert messages.window(connection, bank_id, within, after=None, limit=5) == []


def test_metadata_may_hold_nul(database: Database, bank_id: int) -> None:
    metadata = {"a\0b": ODD_TEXT, "tags": [ODD_TEXT, {"deep": "\x10"}], "level": 2}
    with database.write() as connection:
        thread = banks.thread_ids(connection, bank_id, ["main"])["main"]
        row = new_message(bank_id, thread, "m")
        row["metadata"] = metadata
        insert_rows(connection, bank_id, [row])
    with database.read() as connection:
        assert messages.by_keys(connection, bank_id, ["m"])["m"].metadata == metadata
        for wanted, found in (({"a\0b": ODD_TEXT}, ["m"]), ({"a\0b": ODD_TEXT + "\0"}, []), ({"a": ODD_TEXT}, [])):
            within = MessageFilter(metadata=wanted)
            assert [m.key for m in messages.window(connection, bank_id, within, after=None, limit=5)] == found


def test_sealing_drops_the_text_of_complete_messages(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        first, second, third = insert_messages(connection, bank_id, "first", "second", "third")
        assert ages.oldest_open(connection, bank_id, "message") == Age(NOW)
        assert ages.oldest_open(connection, bank_id, "arrival") == Age(NOW)
        insert_page(connection, new_page(bank_id, "p"), [first, second])
        open_messages.mark_sealed(connection, [SealedPart(first, 13, True), SealedPart(second, 5, False)])
    with database.read() as connection:
        found = messages.by_ids(connection, bank_id, [first, second, third])
        assert [(found[i].content is None, found[i].sealed_chars) for i in (first, second, third)] == [
            (True, len("text of first")),
            (False, 5),
            (False, 0),
        ]
        assert open_messages.count(connection, bank_id) == 2
        assert open_messages.count_chars(connection, bank_id) == len("text of second") - 5 + len("text of third")
        assert ages.oldest_open(connection, bank_id, "message") == Age(NOW + timedelta(minutes=1))
        assert [m.id for m in open_messages.up_to(connection, bank_id, 5, third)] == [second]
        assert [m.id for m in open_messages.up_to(connection, bank_id, 500, second)] == [second]
        assert messages.newest_id(connection, bank_id) == third


def test_a_window_is_in_time_order_and_resumes(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, *"abcdef")
        thread = banks.thread_ids(connection, bank_id, ["side"])["side"]
        (aside,) = insert_rows(connection, bank_id, [new_message(bank_id, thread, "aside", 3)])
    within = MessageFilter(since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=5))
    with database.read() as connection:
        every = messages.window(connection, bank_id, within, after=None, limit=10)
        assert [m.id for m in every] == [*ids[1:4], aside, ids[4]]
        rest = messages.window(connection, bank_id, within, after=(every[2].created_at, every[2].id), limit=1)
        assert [m.id for m in rest] == [aside]
        only = messages.window(connection, bank_id, MessageFilter(thread_id=thread), after=None, limit=10)
        assert [m.key for m in only] == ["aside"]


def test_the_index_ranks_and_forgets(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, "one", "two", "three")
        terms = [{"titan": 3, "march": 1}, {"titan": 1, "tea": 1}, {"카페": 1, "tea": 2}]
        index = PackedIndex()
        index.add(connection, bank_id, {i: [counts] for i, counts in zip(ids, terms, strict=True)})
    with database.write() as connection:
        hits = index.search(connection, SearchQuery(bank_id, {"titan": 1}), limit=5)
        assert [hit.message_id for hit in hits] == ids[:2]
        assert hits[0].score > hits[1].score > 0
        following = index.search(connection, SearchQuery(bank_id, {"titan": 1}), after=hits[0], limit=5)
        assert [hit.message_id for hit in following] == ids[1:2]
        korean = index.search(connection, SearchQuery(bank_id, {"카페": 1}), limit=5)
        assert [hit.message_id for hit in korean] == ids[2:]
        before = index.statistics(connection, bank_id)
        assert (before.messages, before.entries) == (3, 6)
        index.replace(connection, bank_id, {ids[0]: [{"march": 1}]})
        hits = index.search(connection, SearchQuery(bank_id, {"titan": 1, "march": 1}), limit=5)
        assert {hit.message_id for hit in hits} == set(ids[:2])
        assert index.statistics(connection, bank_id).entries == before.entries - 1
        within = MessageFilter(since=NOW + timedelta(minutes=1))
        hits = index.search(connection, SearchQuery(bank_id, {"titan": 1, "march": 1}, within), limit=5)
        assert [hit.message_id for hit in hits] == [ids[1]]
        index.remove(connection, bank_id, ids[1:])
        assert index.search(connection, SearchQuery(bank_id, {"titan": 1, "tea": 1}), limit=5) == []


def test_totals_count_rows_and_bytes(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        insert_messages(connection, bank_id, "one", "two")
    with database.read() as connection:
        totals = sizes.open_totals(connection, [bank_id])[bank_id]
        assert (totals.messages, totals.unsealed) == (2, 2)
        assert totals.text_bytes == len("text of one") + len("text of two")
        assert (totals.first_at, totals.last_at) == (NOW, NOW + timedelta(minutes=1))
        metadata = sizes.totals(connection, [bank_id])["metadata"][bank_id]
        assert metadata == 2 * len("main") + sizes.THREAD_ROW_BYTES
