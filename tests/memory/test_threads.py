"""Lists of the threads of a bank."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foxing.memory import InvalidCursor, InvalidInput, Memory, NotFound, ThreadInfo

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("words_alone")]

BANK = "ana"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as opened:
        yield opened


def said(thread: str, minute: int, **fields: Any) -> dict[str, Any]:
    at = START + timedelta(minutes=minute)
    return {"role": "user", "content": f"note {minute} of {thread}", "thread": thread, "created_at": at, **fields}


def all_threads(memory: Memory, limit: int = 500) -> list[ThreadInfo]:
    found, cursor = list[ThreadInfo](), None
    while True:
        part = memory.threads(BANK, limit=limit, cursor=cursor)
        found += part.threads
        cursor = part.next_cursor
        if cursor is None:
            return found


def shown(threads: list[ThreadInfo]) -> list[tuple[str, int, int, int]]:
    def minutes(at: datetime) -> int:
        return int((at - START).total_seconds() // 60)

    return [(each.thread, each.messages, minutes(each.first_at), minutes(each.last_at)) for each in threads]


def test_threads_come_with_the_newest_first_open_sealed_and_both(memory: Memory) -> None:
    memory.store(BANK, [said("a", 0), said("b", 1), said("a", 5), said("c", 2), said("c", 3, id="late")])
    expected = [("a", 2, 0, 5), ("c", 2, 2, 3), ("b", 1, 1, 1)]
    assert shown(all_threads(memory)) == expected
    memory.seal(BANK)
    assert shown(all_threads(memory)) == expected
    memory.store(BANK, [said("b", 9), said("c", -4), said("d", 4)])
    expected = [("b", 2, 1, 9), ("a", 2, 0, 5), ("d", 1, 4, 4), ("c", 3, -4, 3)]
    assert shown(all_threads(memory)) == expected
    memory.seal(BANK)
    assert shown(all_threads(memory)) == expected
    memory.erase_message(BANK, "late")
    assert shown(all_threads(memory))[-1] == ("c", 2, -4, 2)
    memory.erase_thread(BANK, "a")
    assert [each.thread for each in all_threads(memory)] == ["b", "d", "c"]


@pytest.mark.slow
def test_many_threads_on_many_pages_are_listed_in_parts(memory: Memory) -> None:
    numbers = [(number * 37) % 211 for number in range(211)]
    words = "the quick brown fox jumps over the lazy dog " * 20
    for start in (0, 100):
        some = numbers[start : start + 100]
        memory.store(BANK, [said(f"t{n % 50}", n, content=f"{n}: {words}") for n in some])
        memory.seal(BANK)
    memory.store(BANK, [said(f"t{n % 50}", n) for n in numbers[200:]])
    assert memory.bank(BANK).pages > 5
    expected = sorted(
        ((f"t{t}", len(of), min(of), max(of)) for t in range(50) if (of := [n for n in numbers if n % 50 == t])),
        key=lambda each: -each[3],
    )
    assert shown(all_threads(memory)) == expected
    assert shown(all_threads(memory, limit=7)) == expected


def test_threads_of_the_same_time_are_listed_once(memory: Memory) -> None:
    memory.store(BANK, [said(f"t{number}", 0) for number in range(9)])
    assert sorted(each.thread for each in all_threads(memory, limit=2)) == [f"t{number}" for number in range(9)]


def test_lists_that_are_refused(memory: Memory) -> None:
    with pytest.raises(NotFound):
        memory.threads(BANK)
    memory.set_policy(BANK, {})
    assert memory.threads(BANK).threads == []
    with pytest.raises(InvalidInput):
        memory.threads(BANK, limit=501)
    for cursor in ("zebra", memory_cursor(memory)):
        with pytest.raises(InvalidCursor):
            memory.threads(BANK, cursor=cursor)


def memory_cursor(memory: Memory) -> str:
    """A cursor of another bank."""
    memory.store("ben", [said(f"t{number}", number) for number in range(2)])
    cursor = memory.threads("ben", limit=1).next_cursor
    assert cursor is not None
    return cursor
