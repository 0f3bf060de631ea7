"""Banks, threads and idempotency keys."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, func, select

from foxing.memory import NotFound
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, idempotency, trash
from foxing.memory.storage.repositories.idempotency import SavedAnswer

from .conftest import NOW, ODD_TEXT, POLICY, insert_messages, insert_page, new_page

pytestmark = pytest.mark.both_databases


def test_a_bank_is_created_once_and_found(database: Database) -> None:
    with database.write() as connection:
        assert banks.find(connection, "ana") is None
        with pytest.raises(NotFound, match="ana"):
            banks.get(connection, "ana")
        created = banks.get_or_create(connection, "ana", NOW, POLICY)
        assert banks.get_or_create(connection, "ana", NOW + timedelta(days=1), {}) == created
    with database.read() as connection:
        bank = banks.get(connection, "ana")
        assert bank == banks.by_id(connection, created.id) == created
        assert (bank.policy, bank.created_at, bank.created_at.tzinfo) == (POLICY, NOW, UTC)


def test_times_of_any_zone_come_back_in_utc(database: Database) -> None:
    tokyo = timezone(timedelta(hours=9))
    with database.write() as connection:
        banks.get_or_create(connection, "ana", datetime(1969, 7, 21, 5, 17, 40, 123456, tokyo), {})
        banks.get_or_create(connection, "first", datetime.min.replace(tzinfo=UTC), {})
        banks.get_or_create(connection, "last", datetime.max.replace(tzinfo=UTC), {})
    with database.read() as connection:
        assert banks.get(connection, "ana").created_at == datetime(1969, 7, 20, 20, 17, 40, 123456, UTC)
        assert banks.get(connection, "first").created_at == datetime.min.replace(tzinfo=UTC)
        assert banks.get(connection, "last").created_at == datetime.max.replace(tzinfo=UTC)
    with pytest.raises(Exception, match="naive"), database.write() as connection:
        banks.get_or_create(connection, "naive", datetime(2026, 1, 1), {})  # noqa: DTZ001


def test_banks_are_listed_by_name(database: Database) -> None:
    with database.write() as connection:
        for name in ("bo", "ana", "cy"):
            banks.get_or_create(connection, name, NOW, {})
    with database.read() as connection:
        assert [bank.name for bank in banks.list_after(connection, None, 2)] == ["ana", "bo"]
        assert [bank.name for bank in banks.list_after(connection, "bo", 2)] == ["cy"]


def test_policy_and_seal_version_are_updated(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        before = banks.get(connection, "ana")
        banks.set_policy(connection, bank_id, {"fresh": "large"})
        assert banks.advance_seal_version(connection, before)
        assert not banks.advance_seal_version(connection, before)
    with database.read() as connection:
        bank = banks.get(connection, "ana")
        assert (bank.policy, bank.seal_version) == ({"fresh": "large"}, 1)


def test_threads_are_created_once_with_any_name(database: Database, bank_id: int) -> None:
    names = [f"{number} {ODD_TEXT}" for number in range(600)]  # more than one IN (…)
    with database.write() as connection:
        created = banks.thread_ids(connection, bank_id, [*names, names[0]])
        assert list(created) == sorted(names)
    with database.write() as connection:
        assert banks.thread_ids(connection, bank_id, names) == created
        assert banks.find_thread(connection, bank_id, names[5]) == created[names[5]]
        assert banks.find_thread(connection, bank_id, "another") is None
        assert banks.count_threads(connection, [bank_id])[bank_id] == 600


def test_an_answer_is_kept_for_its_key_until_it_is_deleted(database: Database, bank_id: int) -> None:
    saved = SavedAnswer(b"\0digest\xff".ljust(16), {"ids": ["a\0b", "ü"], "stored": 2})
    with database.write() as connection:
        idempotency.save_answer(connection, bank_id, ODD_TEXT, saved, NOW)
    with database.write() as connection:
        second = timedelta(seconds=1)
        assert idempotency.find_answer(connection, bank_id, ODD_TEXT, NOW) == saved
        assert idempotency.find_answer(connection, bank_id, ODD_TEXT, NOW + second) is None
        assert idempotency.find_answer(connection, bank_id, "other", NOW) is None
        other = SavedAnswer(b"other".ljust(16), {"ids": []})
        idempotency.save_answer(connection, bank_id, ODD_TEXT, other, NOW + second)
        assert idempotency.find_answer(connection, bank_id, ODD_TEXT, NOW) == other
        assert idempotency.delete_before(connection, NOW + second) == 0
        assert idempotency.delete_before(connection, NOW + 2 * second) == 1
        assert idempotency.find_answer(connection, bank_id, ODD_TEXT, NOW) is None


def test_answers_that_name_an_erased_message_are_deleted(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        for key, ids in ((ODD_TEXT, [ODD_TEXT, "b"]), ("k", ["bb"]), ("r", None)):
            answer = {"ids": ids} if ids is not None else {"changes": []}
            idempotency.save_answer(connection, bank_id, key, SavedAnswer(b"d".ljust(16), answer), NOW)
        idempotency.delete_naming(connection, bank_id, [ODD_TEXT, "x"])
        found = [idempotency.find_answer(connection, bank_id, key, NOW) is not None for key in (ODD_TEXT, "k", "r")]
        assert found == [False, True, True]


def test_threads_without_messages_are_deleted(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        insert_messages(connection, bank_id, "one")
        banks.thread_ids(connection, bank_id, ["empty", ODD_TEXT])
        banks.delete_empty_threads(connection, bank_id, ["main", ODD_TEXT, "nowhere"])
        assert [banks.find_thread(connection, bank_id, n) is None for n in ("main", "empty", ODD_TEXT)] == [
            False,
            False,
            True,
        ]


def test_a_deleted_bank_leaves_no_row_in_any_table(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        other = banks.get_or_create(connection, "bo", NOW, POLICY).id
        for bank, key in ((bank_id, "p"), (other, "q")):
            page = insert_page(connection, new_page(bank, key), insert_messages(connection, bank, "one"), keepsake="k")
            dropped = trash.DroppedPage(tokens=b"t", text=None)
            trash.drop(connection, page, dropped, dropped_at=NOW, purge_at=NOW)
            idempotency.save_answer(connection, bank, "k", SavedAnswer(b"d".ljust(16), {"ids": []}), NOW)
        before = _rows(connection)
        banks.delete(connection, bank_id)
        after = _rows(connection)
        owned = {name for name, count in before.items() if count and name != "secrets"}
        assert {name for name in owned if 2 * after[name] == before[name]} == owned
        assert banks.get_or_create(connection, "ana", NOW, POLICY).id > other
        with pytest.raises(NotFound):
            banks.lock(connection, bank_id)
        with pytest.raises(NotFound):
            banks.by_id(connection, bank_id)


def test_every_table_belongs_to_a_bank() -> None:
    """So that deleting a bank finds its rows; those of the others are of no bank."""
    owners = {"bank_id", "page_id", "message_id"}
    others = {table.name for table in schema.metadata.sorted_tables if not owners & {*table.c.keys()}}
    of_none = {"secrets", "embedders", "api_keys", "audit_events", "audit_chain", "tenants", "usage_days"}
    assert others == {"banks", "blobs"} | of_none  # blobs go after their objects


def _rows(connection: Connection) -> dict[str, int]:
    tables = schema.metadata.sorted_tables
    return {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}
