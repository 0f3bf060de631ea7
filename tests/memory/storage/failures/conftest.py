"""A bank with sealed and open messages, and what has to hold of it whatever happened."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from foxing.memory import Memory

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
#: When all pages are due for `micro`.
LATER = START + timedelta(days=400)
BANK = "ana"

Fill = Callable[[Memory, range], None]
Check = Callable[[Memory, int], None]


def text(number: int) -> str:
    return f"The courier came on day {number} with {7 * number} parcels."


@pytest.fixture
def later() -> datetime:
    return LATER


@pytest.fixture
def store() -> Fill:
    """Stores the messages of these numbers."""

    def store(memory: Memory, numbers: range) -> None:
        said = [
            {"id": str(n), "role": "user", "content": text(n), "created_at": START + timedelta(minutes=n)}
            for n in numbers
        ]
        memory.store(BANK, said)

    return store


@pytest.fixture
def check_whole() -> Check:
    """Asserts that so many messages are there, each once and readable, and every page at one tier."""

    def check(memory: Memory, messages: int) -> None:
        spans = list(memory.export(BANK))
        assert [span.message_id for span in spans] == [str(number) for number in range(messages)]
        for number, span in enumerate(spans):
            assert span.text == text(number) or (span.source == "decoded" and span.confidence > 0)
        assert memory.bank(BANK).messages == messages
        for page in memory.pages(BANK, limit=500).pages:
            tokens = memory.page_tokens(BANK, page.id)
            assert (tokens.tier, tokens.count) == (page.tier, page.vision_tokens)

    return check
