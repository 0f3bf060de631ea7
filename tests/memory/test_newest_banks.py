"""Banks by the times of their last messages."""

from datetime import UTC, datetime, timedelta

import pytest

from foxing.memory import BankEnd, Memory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("words_alone")]

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def store(memory: Memory, bank: str, *hours: int) -> None:
    said = [{"role": "user", "content": f"note {hour}", "created_at": START + timedelta(hours=hour)} for hour in hours]
    memory.store(bank, said)


def test_banks_come_with_the_newest_first_open_sealed_and_both(database_url: str) -> None:
    with Memory(database_url) as memory:
        assert memory.operations.newest_banks() == []
        store(memory, "sealed", 7, 3)
        memory.seal("sealed")
        store(memory, "open", 5, 2)
        store(memory, "both", 1, 6)
        memory.seal("both")
        store(memory, "both", 4)
        store(memory, "as-late", 5)
        memory.set_policy("empty", {"keep_text": "always"})
        expected = [("sealed", 7), ("both", 6), ("as-late", 5), ("open", 5)]
        ends = [BankEnd(bank=bank, last_at=START + timedelta(hours=hour)) for bank, hour in expected]
        assert memory.operations.newest_banks() == ends
        store(memory, "open", 8)
        memory.erase_bank("sealed")
        assert [end.bank for end in memory.operations.newest_banks()] == ["open", "both", "as-late"]
