"""Messages in time order and threads where a bank has more pages than are read together."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from foxing.memory import Memory
from foxing.memory.storage.repositories.sealed import lookup

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("words_alone")]

BANK = "ana"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
#: Minutes at which the messages of each page were said; pages begin and end at the same time as others, and overlap.
PAGES = ((0,), (0, 1), (1, 5), (1, 2), (5,), (5,), (3, 9), (7,), (9,))


@pytest.fixture
def memory(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    monkeypatch.setattr(lookup, "_AT_ONCE", 2)
    monkeypatch.setattr(lookup, "_FIRST_PAGES", 1)
    with Memory(database_url) as memory:
        for number, minutes in enumerate(PAGES):
            memory.store(
                BANK,
                [
                    {"role": "user", "content": f"note {minute}", "created_at": START + timedelta(minutes=minute)}
                    for minute in minutes
                ],
                thread=f"t{number}",
            )
            memory.seal(BANK)
        yield memory


def minutes_of(memory: Memory, since: int) -> list[int]:
    found, cursor = list[int](), None
    while True:
        part = memory.recall(BANK, since=START + timedelta(minutes=since), limit=4, cursor=cursor)
        found += [int((span.created_at - START).total_seconds() // 60) for span in part.spans]
        cursor = part.next_cursor
        if cursor is None:
            return found


def test_time_windows_in_order(memory: Memory) -> None:
    everything = sorted(minute for page in PAGES for minute in page)
    for since in (0, 1, 3, 6, 9):
        assert minutes_of(memory, since) == [minute for minute in everything if minute >= since]


def test_threads_newest_first(memory: Memory) -> None:
    listed, cursor = list[str](), None
    while True:
        part = memory.threads(BANK, limit=2, cursor=cursor)
        listed += [thread.thread for thread in part.threads]
        cursor = part.next_cursor
        if cursor is None:
            break
    ends = {f"t{number}": max(minutes) for number, minutes in enumerate(PAGES)}
    assert [ends[thread] for thread in listed] == sorted(ends.values(), reverse=True)
    assert sorted(listed) == sorted(ends)


def test_pages_of_a_list(memory: Memory) -> None:
    listed, cursor = list[datetime](), None
    while True:
        part = memory.pages(BANK, limit=2, cursor=cursor)
        listed += [page.last_at for page in part.pages]
        cursor = part.next_cursor
        if cursor is None:
            break
    assert listed == sorted(START + timedelta(minutes=max(minutes)) for minutes in PAGES)
