"""The memory over a database of every dialect, from storing to purging."""

from datetime import timedelta

import pytest

from foxing.memory import Memory

from .conftest import NOW, ODD_TEXT

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")]

DAY = timedelta(days=1)


@pytest.mark.slow
def test_a_bank_lives_through_its_whole_life(database_url: str) -> None:
    with Memory(database_url, clock=lambda: NOW + timedelta(hours=1)) as memory:
        lines = [ODD_TEXT, *(f"The delivery is late again, says note {number}." for number in range(19)), "Titan ships"]
        items = [
            {"id": f"m{n}", "role": "user", "content": line, "created_at": NOW + timedelta(minutes=n)}
            for n, line in enumerate(lines)
        ]
        first = memory.store("ana", items, idempotency_key="once")
        assert memory.store("ana", items, idempotency_key="once") == first
        assert memory.message("ana", "m0").text == ODD_TEXT
        assert memory.tick().sealed_pages == 0
        assert [span.message_id for span in memory.recall("ana", "Titan", limit=1).spans] == ["m20"]

        assert memory.tick(now=NOW + 31 * DAY).sealed_pages == 1
        assert memory.pages("ana").pages[0].tier == "tiny"
        assert memory.recall("ana", "delivery").spans[0].source == "decoded"
        assert memory.tick(now=NOW + 39 * DAY).purged == 1
        bank = memory.bank("ana")
        assert (bank.messages, bank.open_messages, bank.pages, bank.bytes.trash) == (21, 0, 1, 0)
        assert len(list(memory.export("ana"))) == 21
