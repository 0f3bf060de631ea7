"""Threads that store at once share transactions, and none of them notices."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import monotonic, sleep

import pytest

from foxing.memory import Conflict, Memory, MemoryFault, StorageError
from foxing.memory.ingest.group_commit import GroupCommit

THREADS = 8
TIMEOUT_S = 60


class Writer:
    """Doubles numbers, a group at a time; the first group waits until all others are there."""

    def __init__(self, others: int) -> None:
        self.groups: list[list[int]] = []
        self.others = others
        self.fails: Exception | None = None
        self.commit: GroupCommit[int, int] = GroupCommit(self.write, lambda waiting: min(len(waiting), 5))
        self.begun = Event()

    def write(self, numbers: Sequence[int]) -> list[int | MemoryFault]:
        self.groups.append(list(numbers))
        if len(self.groups) == 1:
            self.begun.set()
            deadline = monotonic() + TIMEOUT_S
            while len(self.commit._waiting) < self.others:
                assert monotonic() < deadline
                sleep(0.001)
        elif self.fails is not None and -1 in numbers:
            raise self.fails
        return [Conflict("odd") if number % 2 else 2 * number for number in numbers]

    def run(self, numbers: Sequence[int]) -> list[int | str]:
        """What each number is answered, the first of them alone."""

        def submit(number: int) -> int | str:
            try:
                return self.commit.submit(number)
            except (MemoryFault, ValueError) as error:
                return str(error)

        with ThreadPoolExecutor(len(numbers)) as pool:
            first = pool.submit(submit, numbers[0])
            assert self.begun.wait(TIMEOUT_S)
            return [answer.result(TIMEOUT_S) for answer in [first, *(pool.submit(submit, n) for n in numbers[1:])]]


def test_what_comes_while_a_group_is_written_is_the_next_group() -> None:
    writer = Writer(others=7)
    assert writer.run([0, 2, 4, 5, 6, 8, 10, 12]) == [0, 4, 8, "odd", 12, 16, 20, 24]
    assert [len(group) for group in writer.groups] == [1, 5, 2]
    assert writer.commit.submit(20) == 40


def test_a_request_that_breaks_the_writer_fails_alone() -> None:
    writer = Writer(others=4)
    writer.fails = ValueError("no such number")
    assert writer.run([0, 2, -1, 4, 6]) == [0, 4, "no such number", 8, 12]
    assert [len(group) for group in writer.groups] == [1, 4, 1, 1, 1, 1]


def test_what_fails_them_all_is_not_tried_for_each() -> None:
    writer = Writer(others=3)
    writer.fails = StorageError("the disk is full")
    assert writer.run([0, 2, -1, 4]) == [0, *3 * ["the disk is full"]]
    assert len(writer.groups) == 2


def test_an_interrupted_writer_passes_its_turn_on() -> None:
    def write(numbers: Sequence[int]) -> list[int | MemoryFault]:
        if numbers == [1]:
            raise KeyboardInterrupt
        return list(numbers)

    commit: GroupCommit[int, int] = GroupCommit(write, len)
    with pytest.raises(KeyboardInterrupt):
        commit.submit(1)
    assert commit.submit(2) == 2


def test_requests_of_one_thread_are_answered_each() -> None:
    groups: list[list[int]] = []

    def write(numbers: Sequence[int]) -> list[int | MemoryFault]:
        groups.append(list(numbers))
        return [Conflict("odd") if number % 2 else 2 * number for number in numbers]

    commit: GroupCommit[int, int] = GroupCommit(write, lambda waiting: min(len(waiting), 3))
    assert commit.submit_all([]) == []
    answers = commit.submit_all([0, 2, 3, 4, 6])
    assert [str(answer) for answer in answers] == ["0", "4", "odd", "8", "12"]
    assert groups == [[0, 2, 3], [4, 6]]


def test_threads_that_submit_several_requests_share_groups() -> None:
    writer = Writer(others=6)

    def submit(numbers: Sequence[int]) -> list[int | BaseException]:
        return writer.commit.submit_all(numbers)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(submit, [0])
        assert writer.begun.wait(TIMEOUT_S)
        others = [pool.submit(submit, numbers) for numbers in ([2, 4, 6], [8, 10, 12])]
        assert [first.result(TIMEOUT_S), *(other.result(TIMEOUT_S) for other in others)] == [
            [0],
            [4, 8, 12],
            [16, 20, 24],
        ]
    assert sorted(len(group) for group in writer.groups) == [1, 1, 5]


def test_an_interrupted_thread_takes_its_other_requests_back() -> None:
    written: list[int] = []

    def write(numbers: Sequence[int]) -> list[int | MemoryFault]:
        if 1 in numbers:
            raise KeyboardInterrupt
        written.extend(numbers)
        return list(numbers)

    commit: GroupCommit[int, int] = GroupCommit(write, lambda waiting: 1)
    with pytest.raises(KeyboardInterrupt):
        commit.submit_all([0, 1, 2, 3])
    assert commit.submit(4) == 4
    assert written == [0, 4]


def message(key: str, text: str) -> dict[str, str]:
    return {"id": key, "role": "user", "content": text}


@pytest.mark.both_databases
def test_threads_that_store_the_same_and_other_messages_at_once(database_url: str) -> None:
    """Each thread stores a message of its own, one that all store, and one that each wants to be another."""
    together = Barrier(THREADS)

    def store(number: int) -> tuple[int, int, bool]:
        own = memory.store("ana", [message(f"own {number}", "mine")]).stored
        together.wait(TIMEOUT_S)
        same = memory.store("ana", [message("same", "ours")], idempotency_key="once").stored
        try:
            memory.store(f"bank-{number % 2}", [message("other", f"text {number // 2}")])
        except Conflict:
            return own, same, False
        return own, same, True

    with Memory(database_url) as memory, ThreadPoolExecutor(THREADS) as pool:
        memory.store("ana", [message("first", "first")])
        answers = list(pool.map(store, range(THREADS)))
        assert memory.bank("ana").messages == THREADS + 2
        assert {memory.bank(f"bank-{number}").messages for number in (0, 1)} == {1}
    assert [own for own, _, _ in answers] == [1] * THREADS
    assert [same for _, same, _ in answers] == [1] * THREADS  # the answer to the first, given again
    assert sum(stored for _, _, stored in answers) == 2


@pytest.mark.both_databases
def test_two_memories_that_store_the_same_message_store_it_once(database_url: str) -> None:
    together = Barrier(2)

    def store(memory: Memory) -> list[int]:
        stored = []
        for number in range(20):
            together.wait(TIMEOUT_S)
            stored.append(memory.store(f"bank-{number % 3}", [message(f"m{number}", "hello")]).stored)
        return stored

    with Memory(database_url) as one, Memory(database_url) as other, ThreadPoolExecutor(2) as pool:
        first, second = pool.map(store, (one, other))
    assert [a + b for a, b in zip(first, second, strict=True)] == [1] * 20
