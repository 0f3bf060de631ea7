"""What waits in an outbox arrives once and in order, or says why not."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.processes import start_python

from foxing.integrations.client import connect
from foxing.integrations.frameworks.call_sequences import run
from foxing.integrations.outbox import file as outbox_file
from foxing.integrations.outbox.adapter import Outbox
from foxing.integrations.outbox.delivery import deliver
from foxing.integrations.outbox.file import OutboxFile, OutboxFull, states
from foxing.memory import Memory, errors
from foxing.memory.values.base import Fields

SCOPE = "memory b"

#: Adds messages for ever, and prints the number of each that is in the file.
ADDING = """
import sys
from pathlib import Path
from foxing.integrations.outbox.file import OutboxFile

file = OutboxFile(Path(sys.argv[1]), "memory b")
number = int(sys.argv[2])
while True:
    with file.writing() as connection:
        file.add(connection, [{"id": f"m{number}", "role": "user", "content": f"message {number}", "thread": "t"}])
    print(number, flush=True)
    number += 1
"""


@pytest.fixture
def memory(tmp_path: Path, words_alone: None) -> Iterator[Memory]:
    with Memory(tmp_path / "bank.db") as memory:
        yield memory


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OutboxFile]:
    file = OutboxFile(tmp_path / "outbox.db", SCOPE)
    yield file
    file.close()


def message(number: int, **fields: object) -> Fields:
    return {"id": f"m{number}", "role": "user", "content": f"message {number}", "thread": "t", **fields}


def add(file: OutboxFile, *messages: Fields) -> None:
    with file.writing() as connection:
        file.add(connection, messages)


class Failing:
    """A memory whose calls of `store` raise errors, one each, before they succeed."""

    def __init__(self, memory: Memory, *failures: Exception) -> None:
        self._memory = memory
        self.failures = list(failures)
        self.stored: list[Sequence[Fields]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._memory, name)

    def store(self, bank: str, messages: Sequence[Fields]) -> object:
        self.stored.append(messages)
        if self.failures:
            raise self.failures.pop(0)
        return self._memory.store(bank, messages)


def deliver_all(file: OutboxFile, target: Any) -> int:
    with connect(target, "b") as connection:
        count = 0
        while delivered := run(connection, deliver(file, "b")):
            count += delivered
        return count


def texts(memory: Memory) -> list[str]:
    return [each.text for each in memory.export("b")]


def test_messages_are_delivered_once_in_order_and_are_gone_from_the_file(
    file: OutboxFile, memory: Memory, tmp_path: Path
) -> None:
    add(file, message(0, content="heliotrope"), message(1))
    add(file, message(1), message(2))  # waits already
    assert file.state().entries == 3
    assert deliver_all(file, memory) == 3
    add(file, message(2))  # delivered already
    assert deliver_all(file, memory) == 1
    assert texts(memory) == ["heliotrope", "message 1", "message 2"]
    assert file.forget()
    state = file.state()
    assert (state.entries, state.bytes, state.oldest, state.refused) == (0, 0, None, 0)
    for path in tmp_path.glob("outbox.db*"):
        assert b"heliotrope" not in path.read_bytes(), path.name


@pytest.mark.parametrize("kind", [errors.Unavailable, errors.StorageError, errors.Closed])
def test_what_may_succeed_later_waits_and_the_state_says_why(
    file: OutboxFile, memory: Memory, tmp_path: Path, kind: type[errors.MemoryFault]
) -> None:
    add(file, message(0), message(1))
    target = Failing(memory, kind("the disk is full"))
    with pytest.raises(kind) as raised:
        deliver_all(file, target)
    file.note_failure(raised.value)
    [state] = states(tmp_path / "outbox.db")
    assert state == file.state()
    assert (state.scope, state.entries, state.last_error) == (SCOPE, 2, f"{kind.__name__}: the disk is full")
    assert state.oldest is not None
    assert state.failed_at is not None
    assert state.oldest <= state.failed_at
    deliver_all(file, target)
    assert texts(memory) == ["message 0", "message 1"]
    assert file.state().last_error is None


def test_a_message_that_is_refused_holds_up_no_other(file: OutboxFile, memory: Memory) -> None:
    add(file, message(0), message(1, role="nobody"), message(2))
    assert deliver_all(file, memory) == 3
    assert texts(memory) == ["message 0", "message 2"]
    assert (file.state().entries, file.state().refused) == (0, 1)


def test_a_message_with_which_the_bank_fails_holds_up_its_thread_alone(file: OutboxFile, memory: Memory) -> None:
    class Broken(Failing):
        broken = True

        def store(self, bank: str, messages: Sequence[Fields]) -> object:
            if self.broken and any(each["id"] == "m0" for each in messages):
                raise errors.MemoryFault("this is a bug in Foxing")
            return super().store(bank, messages)

    add(file, message(0), message(1), message(2, thread="u"))
    target = Broken(memory)
    with pytest.raises(errors.MemoryFault, match="a bug"):
        deliver_all(file, target)
    assert texts(memory) == ["message 2"]
    assert [entry.message["id"] for entry in file.pending()] == ["m0", "m1"]
    Broken.broken = False
    deliver_all(file, target)
    assert texts(memory) == ["message 2", "message 0", "message 1"]


def test_a_bank_that_fails_with_everything_is_not_asked_about_each_message(file: OutboxFile, memory: Memory) -> None:
    add(file, *[message(number, thread=str(number)) for number in range(20)])
    target = Failing(memory, *[errors.MemoryFault("the key is wrong")] * 20)
    with pytest.raises(errors.MemoryFault):
        deliver_all(file, target)
    assert len(target.stored) == 4
    assert file.state().entries == 20


def test_a_message_whose_time_or_image_is_refused_is_stored_without(file: OutboxFile, memory: Memory) -> None:
    image = {"type": "image", "data": "bm8gaW1hZ2U="}
    add(file, message(0, created_at="2999-01-01T00:00:00Z"))
    add(file, message(1, created_at="2026-01-05T09:00:00Z", content=[{"type": "text", "text": "see"}, image]))
    memory.store("b", [message(2, created_at="2026-01-05T09:00:00Z")])
    add(file, message(2, created_at="2026-01-05T10:00:00Z"))
    deliver_all(file, memory)
    said = {each.message_id: each for each in memory.export("b")}
    assert set(said) == {"m0", "m1", "m2"}
    assert "[image, not remembered: the data are not a PNG" in said["m1"].text
    assert said["m1"].created_at.hour == said["m2"].created_at.hour == 9
    assert file.state().refused == 0


def test_a_time_that_comes_soon_is_waited_for(file: OutboxFile, memory: Memory) -> None:
    add(file, message(0, created_at="2026-01-05T09:00:00Z"))
    target = Failing(memory, *[errors.InvalidTime("in the future").after(20.0)] * 2)
    with pytest.raises(errors.InvalidTime):
        deliver_all(file, target)
    deliver_all(file, target)
    assert [list(each) for each in target.stored] == 3 * [[message(0, created_at="2026-01-05T09:00:00Z")]]


def test_a_full_outbox_takes_no_more_and_loses_nothing(
    file: OutboxFile, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_file, "MAX_ENTRIES", 2)
    add(file, message(0), message(1))
    with pytest.raises(OutboxFull, match="make the memory reachable") as raised:
        add(file, message(2))
    assert raised.value.retry == "later"
    add(file, message(1))
    assert file.state().entries == 2
    deliver_all(file, memory)
    add(file, message(2))
    deliver_all(file, memory)
    assert texts(memory) == ["message 0", "message 1", "message 2"]
    monkeypatch.setattr(outbox_file, "MAX_BYTES", 100)
    with pytest.raises(OutboxFull):
        add(file, message(3, content="x" * 100))


def test_a_full_disk_loses_nothing_that_waits(file: OutboxFile, memory: Memory) -> None:
    add(file, message(0))
    with file.shared as connection:
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    number = 1
    with suppress(sqlite3.OperationalError):
        while True:
            add(file, message(number, content=f"message {number} {'x' * 500}"))
            number += 1
    assert file.state().entries == number
    with pytest.raises(sqlite3.OperationalError, match="full"):
        add(file, message(number, content="x" * 100_000))
    assert deliver_all(file, memory) == number
    assert [text.split()[1] for text in texts(memory)] == [str(each) for each in range(number)]
    add(file, message(number))
    assert file.state().entries == 1


def test_a_message_is_there_although_its_process_was_killed(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    added = 0
    for lines in (3, 11, 1):
        process = start_python(ADDING, str(path), str(added))
        for _ in range(lines):
            added = int(process.stdout.readline()) + 1
        process.kill()
        rest = process.communicate()[0].split()
        added = int(rest[-1]) + 1 if rest else added
    file = OutboxFile(path, SCOPE)
    deliver_all(file, memory)
    file.close()
    found = texts(memory)
    assert found[:added] == [f"message {number}" for number in range(added)]
    assert len(found) <= added + 3  # what was written, but not said to be
    assert len(set(found)) == len(found)


def test_banks_and_processes_share_a_file(tmp_path: Path, memory: Memory) -> None:
    files = [OutboxFile(tmp_path / "outbox.db", scope) for scope in (SCOPE, SCOPE, "memory c")]
    for number, each in enumerate(files):
        add(each, message(number))
    pending: Callable[[OutboxFile], list[object]] = lambda each: [entry.message["id"] for entry in each.pending()]  # noqa: E731
    assert [pending(each) for each in files] == [["m0", "m1"], ["m0", "m1"], ["m2"]]
    assert deliver_all(files[0], memory) == 2
    assert deliver_all(files[1], memory) == 0
    assert [state.entries for state in states(tmp_path / "outbox.db")] == [0, 1]
    for each in files:
        each.close()
    assert states(tmp_path / "another.db") == []
    (tmp_path / "damaged.db").write_text("no database, " * 1_000)
    assert states(tmp_path / "damaged.db") == []


def test_what_an_adapter_could_not_store_is_stored_by_the_next_process(
    memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "frameworks.db"
    down = Failing(memory, *[errors.Unavailable("the service is down")] * 3)
    connection = connect(down, "b")  # type: ignore[arg-type]
    first, second = Outbox(connection, path), Outbox(connect(memory, "b"), path)
    run(connection, first.put([]))
    assert not path.exists()
    run(connection, first.put([message(0), message(1)]))
    assert (first.pending, second.pending) == (2, 2)
    assert "2 messages will be stored later: the service is down" in caplog.text
    with pytest.raises(errors.Unavailable):
        first.close()
    with pytest.raises(errors.InvalidInput):  # does not wait
        run(connect(memory, "b"), second.put([message(2, role="nobody")]))
    assert texts(memory) == ["message 0", "message 1"]
    run(connect(memory, "b"), second.put([message(3)]))
    second.close()
    assert second.pending == 0
    assert texts(memory) == ["message 0", "message 1", "message 3"]
    assert b"message 1" not in path.read_bytes()


def test_an_adapter_without_a_file_says_that_messages_are_lost(
    memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    connection = connect(Failing(memory, errors.Unavailable("the service is down")), "b")  # type: ignore[arg-type]
    outbox = Outbox(connection, tmp_path / "file" / "frameworks.db")
    with pytest.raises(errors.Unavailable):
        run(connection, outbox.put([message(0)]))
    assert "cannot be used" in caplog.text
