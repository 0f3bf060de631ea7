"""What every dialect must guarantee: snapshots, atomic writes, migrations, and creation without races."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from support.processes import start_python

from foxing.memory import DatabaseOptions, StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import SQLITE
from foxing.memory.storage.repositories import banks, messages, open_messages

from .conftest import NOW, POLICY, insert_messages

pytestmark = pytest.mark.both_databases

THREADS = 8


def test_migrated_database_matches_the_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    of_policies = set() if database.dialect is SQLITE else schema.POLICY_COLUMNS
    surplus = [change for change in found if change[0] == "remove_column"]
    assert {(table, column.name) for _, _, table, column in surplus} == of_policies
    assert [change for change in found if change not in surplus] == []


def test_a_read_sees_one_snapshot(database: Database, bank_id: int) -> None:
    with database.read() as reading:
        assert open_messages.count(reading, bank_id) == 0
        with database.write() as writing:
            insert_messages(writing, bank_id, "one", "two")
            banks.get_or_create(writing, "bo", NOW, POLICY)
        assert open_messages.count(reading, bank_id) == 0
        assert messages.newest_id(reading, bank_id) == 0
        assert banks.find(reading, "bo") is None
    with database.read() as reading:
        assert open_messages.count(reading, bank_id) == 2
        assert banks.find(reading, "bo") is not None


def test_a_write_that_raises_leaves_nothing(database: Database, bank_id: int) -> None:
    class Stopped(Exception):
        pass

    def fail() -> None:
        with database.write() as connection:
            insert_messages(connection, bank_id, "one")
            raise Stopped

    with pytest.raises(Stopped):
        fail()
    with database.read() as connection:
        assert open_messages.count(connection, bank_id) == 0
        assert banks.count_threads(connection, [bank_id])[bank_id] == 0


def test_writing_in_a_read_transaction_is_refused_by_postgresql(database: Database) -> None:
    if database.dialect is SQLITE:
        pytest.skip("SQLite has no read-only transactions")
    with pytest.raises(Exception, match="read-only"), database.read() as connection:
        connection.execute(text("DELETE FROM banks"))
    with database.write() as connection:  # the connection went back to the pool without that setting
        connection.execute(text("DELETE FROM banks"))


def test_threads_that_create_one_bank_and_thread_get_the_same(database: Database) -> None:
    together = Barrier(THREADS)

    def create(_: int) -> tuple[int, int]:
        together.wait(60)
        with database.write() as connection:
            bank_id = banks.get_or_create(connection, "shared", NOW, POLICY).id
            return bank_id, banks.thread_ids(connection, bank_id, ["main", "side"])["main"]

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(create, range(THREADS)))) == 1
    with database.read() as connection:
        assert [bank.name for bank in banks.list_after(connection, None, 10)] == ["shared"]


def test_creating_a_thread_that_another_writer_has_just_created_returns_it(database: Database, bank_id: int) -> None:
    """Without the lock on the bank, as another writer of the table may do it."""
    together = Barrier(THREADS)

    def create(_: int) -> dict[str, int]:
        together.wait(60)
        with database.write() as connection:
            return banks.thread_ids(connection, bank_id, [f"thread {n}" for n in range(20)])

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(create, range(THREADS)))
    assert all(ids == found[0] for ids in found)
    assert len(found[0]) == 20


CREATE = """
import sys
from datetime import UTC, datetime
from foxing.memory.storage.dialects import SQLITE
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    with database.write() as connection:
        bank = banks.get_or_create(connection, f"bank {number}", datetime.now(UTC), {})
        ids = banks.thread_ids(connection, bank.id, ["main"])
        print(bank.id, ids["main"])
database.close()
"""


def test_processes_that_create_the_same_banks_get_the_same(database: Database, database_url: str) -> None:
    processes = [start_python(CREATE, database_url) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    first, second = (process.communicate(timeout=60)[0].split("\n") for process in processes)
    assert len(first) == 21
    assert first == second


def test_options_bound_the_connections_of_a_process(database_url: str) -> None:
    database = Database(DatabaseOptions(database_url, pool_size=1, max_overflow=0, pool_timeout_s=0.05))
    with database.read(), pytest.raises(StorageError, match="no connection became free"), database.read():
        pass
    database.close()


def test_a_writer_gives_up_after_the_busy_timeout(database: Database, database_url: str, bank_id: int) -> None:
    other = Database(DatabaseOptions(database_url, busy_timeout_s=0.05))
    with database.write() as connection:
        banks.get_or_create(connection, "ana", NOW, POLICY)
        with pytest.raises(StorageError, match="locked by another process"), other.write() as waiting:
            banks.get_or_create(waiting, "ana", NOW, POLICY)
    other.close()
