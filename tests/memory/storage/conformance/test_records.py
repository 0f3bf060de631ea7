"""Records, on every dialect."""

from dataclasses import replace
from datetime import datetime, timedelta

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, records, sizes
from foxing.memory.storage.repositories.records import RecordFilter, RecordRow

from .conftest import NOW, ODD_TEXT, POLICY


def new_record(key: str, ordinal: int, *namespace: str, expires_at: datetime | None = None) -> RecordRow:
    return RecordRow(
        id=0,
        namespace=namespace or ("notes",),
        key=key,
        value='{"z":1,"a":1.0,"big":100000000000000000000000,"nul":"\\u0000 ☂ 한국어"}',
        text=ODD_TEXT,
        ordinal=ordinal,
        version=ordinal,
        created_at=NOW,
        updated_at=NOW,
        ttl_s=None,
        expires_at=expires_at,
    )


def test_a_record_comes_back_as_it_was_stored(database: Database, bank_id: int) -> None:
    row = new_record("k ☂ 한국어", 1, "a%", "b_")
    with database.write() as connection:
        assert [records.reserve_versions(connection, bank_id, 2) for _ in range(2)] == [0, 2]
        stored = records.write(connection, bank_id, row)
    with database.read() as connection:
        address, other = (("a%", "b_"), "k ☂ 한국어"), (("a%",), "k ☂ 한국어")
        found = records.find_many(connection, bank_id, [address, other])[address]
        assert records.find_many(connection, bank_id, [address, other]) == {address: stored}
        assert replace(found, id=0) == row
        assert sizes.totals(connection, [bank_id])["records"][bank_id] > len(row.value.encode()) + len(
            ODD_TEXT.encode()
        )


def test_namespaces_are_compared_byte_by_byte(database: Database, bank_id: int) -> None:
    labels = ["Z", "a", "a b", "a-b", "ab", "a", "ä", "한"]
    with database.write() as connection:
        other = banks.get_or_create(connection, "ben", NOW, POLICY).id
        for number, label in enumerate(labels):
            records.write(connection, bank_id, new_record(f"k{number}", number, label))
        records.write(connection, bank_id, new_record("below", 20, "a", "x"))
        records.write(connection, other, new_record("k", 1, "a"))
    with database.read() as connection:
        every, below_a = RecordFilter(bank_id, (), False, NOW), RecordFilter(bank_id, ("a",), False, NOW)
        names = [records.decoded(text) for text in records.namespaces(connection, every, None, 20)]
        assert names == [("Z",), ("a",), ("a", "x"), ("a b",), ("a-b",), ("ab",), ("ä",), ("한",)]
        rest = records.namespaces(connection, every, records.encoded(("a", "x")), 2)
        assert [records.decoded(text) for text in rest] == [("a b",), ("a-b",)]
        assert [row.key for row, _ in records.every(connection, below_a, None)] == ["k1", "k5", "below"]
        newest = records.ordered(connection, below_a, "newest", None, 2)
        assert [row.key for row in newest] == ["below", "k5"]
        assert [row.key for row in records.ordered(connection, below_a, "newest", newest[1].ordinal, 2)] == ["k1"]
    with database.write() as connection:
        assert records.clear(connection, below_a) == 3
        assert list(records.every(connection, below_a, None)) == []
        assert len(list(records.every(connection, RecordFilter(other, (), False, NOW), None))) == 1


def test_expired_records_are_not_seen_and_deleted(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        for number in range(3):
            row = new_record(f"k{number}", number, expires_at=NOW + timedelta(seconds=number))
            records.write(connection, bank_id, row)
        within = RecordFilter(bank_id, (), False, NOW + timedelta(seconds=1))
        ((left, _),) = records.every(connection, within, None)
        assert left.key == "k2"
        records.extend(connection, left.id, NOW + timedelta(days=1))
        assert records.delete_expired(connection, NOW + timedelta(hours=1)) == 2
        assert [row.key for row in records.by_ids(connection, [left.id, 0]).values()] == ["k2"]
