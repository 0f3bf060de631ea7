"""What is due in banks, as their statistics say."""

import sys
from datetime import UTC, datetime, timedelta
from types import FrameType

import pytest
from support.clock import Clock

from foxing.memory import Memory, MemoryOptions
from foxing.memory.values.banks import DueWork

pytestmark = pytest.mark.both_databases

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def memory(database_url: str, clock: Clock) -> Memory:
    return Memory(database_url, clock=clock, options=MemoryOptions(embedder="none"))


def store(memory: Memory, bank: str) -> None:
    memory.store(bank, [{"role": "user", "content": f"Note {n}: ship on Friday."} for n in range(5)])


def test_a_bank_without_due_work(memory: Memory, clock: Clock) -> None:
    with memory:
        store(memory, "a")
        memory.tick()
        assert memory.bank("a").due == DueWork(messages_to_seal=0, pages_to_age=0)
        clock.now += timedelta(days=29)
        assert memory.bank("a").due.messages_to_seal == 0


def test_what_is_due_is_asked_by_a_query_that_is_built_once(memory: Memory, clock: Clock) -> None:
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    with memory:
        store(memory, "a")
        memory.seal("a")
        clock.now += timedelta(days=31)
        assert memory.bank("a").due.pages_to_age == 1
        sys.setprofile(count)
        try:
            memory.bank("a")
        finally:
            sys.setprofile(None)
    assert calls < 2000  # more where it is built each time: 2,200 with SQLite


def test_old_messages_are_to_be_sealed_and_old_pages_to_age(memory: Memory, clock: Clock) -> None:
    with memory:
        for bank in ("a", "b", "c"):
            store(memory, bank)
        memory.set_policy("c", {"steps": [{"after": "P500D", "tier": "micro"}]})
        memory.tick()
        clock.now += timedelta(days=31)
        assert [bank.due.messages_to_seal for bank in memory.banks().banks] == [5, 5, 5]
        for bank in ("a", "b", "c"):
            memory.seal(bank)
        pinned = memory.pages("b").pages[0].id
        memory.pin("b", pinned)
        dues = {bank.id: bank.due.pages_to_age for bank in memory.banks().banks}
        assert dues == {"a": len(memory.age("a", dry_run=True, preview=0).moved), "b": 0, "c": 0}
        assert dues["a"] == 1
        assert [bank.due.messages_to_seal for bank in memory.banks().banks] == [0, 0, 0]
        memory.tick()
        assert [bank.due.pages_to_age for bank in memory.banks().banks] == [0, 0, 0]
        memory.pin("b", pinned, pinned=False)
        memory.set_policy("c", memory.policy("c").paused("P1D", clock.now))
        clock.now += timedelta(days=500)
        assert {bank.id: bank.due.pages_to_age for bank in memory.banks().banks} == {"a": 1, "b": 1, "c": 1}


def test_a_pause_leaves_nothing_due(memory: Memory, clock: Clock) -> None:
    with memory:
        store(memory, "a")
        memory.seal("a")
        clock.now += timedelta(days=40)
        assert memory.bank("a").due.pages_to_age == 1
        memory.set_policy("a", memory.policy("a").paused("P1D", clock.now))
        assert memory.bank("a").due.pages_to_age == 0


def test_the_statistics_say_what_a_dry_run_says(memory: Memory, clock: Clock) -> None:
    with memory:
        store(memory, "a")
        memory.seal("a")
        for days in (1, 6, 2, 22, 300, 100):
            clock.now += timedelta(days=days)
            expected = len(memory.age("a", dry_run=True, preview=0).moved)
            assert memory.bank("a").due.pages_to_age == expected
            memory.age("a")
