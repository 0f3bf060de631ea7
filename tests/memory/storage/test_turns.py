"""Writers of one process write in the order in which they came."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from foxing.memory import DatabaseOptions, StorageError
from foxing.memory.storage.database import Database
from tests.support.waiting import wait_until

WRITERS = 20


@pytest.fixture
def database(database_path: Path) -> Iterator[Database]:
    database = Database(database_path)
    database.migrate()
    yield database
    database.close()


def test_writers_take_turns_in_the_order_in_which_they_came(database: Database) -> None:
    order: list[int] = []

    def write(number: int) -> None:
        with database.write():
            order.append(number)

    threads = []
    with database.write():
        for number in range(WRITERS):
            threads.append(Thread(target=write, args=(number,)))
            threads[-1].start()
            wait_until(lambda: database.waiting_writers == len(threads))
        assert order == []
    for thread in threads:
        thread.join()
    assert order == list(range(WRITERS))


def test_a_writer_that_fails_passes_its_turn_on(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write():
        raise RuntimeError("out of paper")
    with database.write():
        pass


def test_a_writer_does_not_wait_for_ever(database_path: Path) -> None:
    database = Database(DatabaseOptions(database_path, busy_timeout_s=0.05))
    database.migrate()
    holds, go_on = Event(), Event()

    def hold() -> None:
        with database.write():
            holds.set()
            assert go_on.wait(60)

    holder = Thread(target=hold)
    holder.start()
    assert holds.wait(60)
    with pytest.raises(StorageError, match="locked for too long"), database.write():
        pass
    assert database.waiting_writers == 0
    go_on.set()
    holder.join()
    with database.write():
        pass
    database.close()


def test_readers_do_not_wait_for_writers(database: Database) -> None:
    with database.write(), database.read():
        pass
