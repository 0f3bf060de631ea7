"""Erasure while a bank is being sealed: only pages that hold what was erased are encoded again."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.hooked_codec import HookedCodec
from support.operations.checks import check, examples

from foxing.memory import Memory, Policy

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("no_decoding_in_transactions")]

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FILLING = "The delivery is late again and nobody in the office knows why, says the foreman. " * 22
PAGES, MESSAGES = 3, 20  # seven messages to a page; the last of a page mostly goes on on the next
EXACT, DECODED = Policy(), Policy(keep_text="until:large")


def said(number: int) -> str:
    return f"Crate {number} is order 4f{number:06x}. {FILLING}"


def message(number: int) -> dict[str, object]:
    at = START + timedelta(minutes=number)
    return {"id": str(number), "role": "user", "content": said(number), "created_at": at}


@pytest.fixture
def other(database_url: str) -> Iterator[Memory]:
    """Another process."""
    with Memory(database_url, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message(number) for number in range(MESSAGES)])
        yield memory


def erasing(other: Memory, numbers: list[int]) -> tuple[HookedCodec, list[int]]:
    """A codec during each of whose calls one of the messages is erased, and those that are."""
    left, erased = list(numbers), list[int]()

    def erase() -> None:
        if left:
            erased.append(left.pop(0))
            other.erase_message("ana", str(erased[-1]))

    return HookedCodec(before_encode=erase), erased


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "numbers"),
    [(EXACT, [19, 11, 2]), (DECODED, [6, 7, 13, 14])],
    ids=["exact, apart", "decoded, at breaks"],
)
def test_pages_without_erased_messages_are_encoded_once(
    database_url: str, other: Memory, policy: Policy, numbers: list[int]
) -> None:
    other.set_policy("ana", policy)
    codec, erased = erasing(other, numbers)
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        report = memory.seal("ana")
        encoded = sum(codec.encoded)
        read = {span.message_id: span.text for span in memory.export("ana")}
    assert 0 < len(erased) <= len(numbers)
    assert (len(report.pages), report.open_messages) == (PAGES, 0)
    assert encoded <= PAGES + 2 * len(erased)  # a message is on two pages at most
    assert read == {str(number): said(number) for number in range(MESSAGES) if number not in erased}
    assert examples(check(database_url, embedder="use")) == []


@pytest.mark.slow
def test_a_bank_that_is_erased_from_all_the_time_gives_the_worker_back(database_url: str, other: Memory) -> None:
    """Whatever is encoded, one of its messages is erased."""
    other.store("bo", [message(number) for number in range(3)])
    codec, erased = erasing(other, list(range(6)))
    with Memory(database_url, codec=codec, clock=lambda: START + 31 * DAY) as memory:
        report = memory.tick()
        assert report.failed_banks == {}
        assert memory.bank("bo").pages == 1
        assert codec.encoded[:5] == [PAGES, 1, 1, 1, 1]
        assert memory.tick().failed_banks == {}
        assert memory.bank("ana").open_messages == 0
        assert {span.message_id for span in memory.export("ana")} == {str(n) for n in range(len(erased), MESSAGES)}
    assert examples(check(database_url, embedder="use")) == []


@pytest.mark.slow
def test_another_process_that_seals_takes_the_pages_over(database_url: str, other: Memory) -> None:
    sealed = list[Callable[[], object]]([lambda: other.seal("ana")])
    codec = HookedCodec(before_encode=lambda: sealed.pop()() if sealed else None)
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        assert memory.seal("ana").pages == []
        assert sum(codec.encoded) == PAGES
        assert [span.text for span in memory.export("ana")] == [said(number) for number in range(MESSAGES)]
