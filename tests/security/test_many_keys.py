"""A bank with many idempotency keys: a store costs as much as in a new one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from foxing.memory import Memory

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEYS = 20_000
OLD_KEYS = """
INSERT INTO idempotency_keys (bank_id, key, digest, answer, created_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
SELECT 1, 'old ' || n, x'00', '{}', ? FROM numbers
"""


@contextmanager
def counted_steps() -> Iterator[list[int]]:
    """Counts instructions of SQLite's virtual machine, in tens, on connections that are opened meanwhile."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    def watch(connection: sqlite3.Connection, _: object) -> None:
        connection.set_progress_handler(count, 10)

    event.listen(Engine, "connect", watch)
    yield steps
    event.remove(Engine, "connect", watch)


def steps_of_a_store(path: Path, key: str) -> int:
    with counted_steps() as steps, Memory(path, clock=lambda: NOW) as memory:
        before = steps[0]
        memory.store("ana", [{"role": "user", "content": "We ship on Friday."}], idempotency_key=key)
        return steps[0] - before


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=2)])
def test_a_store_does_not_look_at_the_other_keys_of_its_bank(database_path: Path, age: timedelta) -> None:
    steps_of_a_store(database_path, "first")
    alone = steps_of_a_store(database_path, "second")
    with closing(sqlite3.connect(database_path)) as connection:
        connection.execute(OLD_KEYS, [KEYS, (NOW - age).strftime("%Y-%m-%d %H:%M:%S.%f")])
        connection.commit()
    assert steps_of_a_store(database_path, "third") < alone + 500


def test_keys_expire_as_others_are_used(database_path: Path) -> None:
    steps_of_a_store(database_path, "first")
    with closing(sqlite3.connect(database_path)) as connection:
        connection.execute(OLD_KEYS, [25, (NOW - timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S.%f")])
        connection.commit()
        for number in range(3):
            steps_of_a_store(database_path, f"next {number}")
        keys = [row[0] for row in connection.execute("SELECT key FROM idempotency_keys ORDER BY key")]
    assert keys == ["first", "next 0", "next 1", "next 2"]


def test_a_key_is_forgotten_after_a_day(database_path: Path) -> None:
    time = [NOW]
    with Memory(database_path, clock=lambda: time[0]) as memory:
        first = memory.store("ana", [{"role": "user", "content": "one"}], idempotency_key="k")
        assert memory.store("ana", [{"role": "user", "content": "one"}], idempotency_key="k") == first
        time[0] += timedelta(days=1, seconds=1)
        assert memory.store("ana", [{"role": "user", "content": "two"}], idempotency_key="k") != first
