"""Storing messages and reading them back, in a SQLite file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import pytest
from support.databases import execute
from support.search_doubles import HashingEmbedder

from foxing.memory import (
    Conflict,
    InvalidInput,
    InvalidTime,
    Memory,
    MemoryOptions,
    MessageTooLarge,
    NewMessage,
    NotFound,
    StoreResult,
)
from foxing.memory.ingest import accepted_message
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.storage.secrets import message_digest
from foxing.memory.text.passages import Passage, split_passages

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        yield opened


def test_stored_message_is_readable_at_once(memory: Memory) -> None:
    stored = memory.store("ana", [{"role": "user", "content": "We ship Titan on 14 March.", "thread": "titan"}])

    message = memory.message("ana", stored.ids[0])

    assert stored.stored == 1
    assert message.text == "We ship Titan on 14 March."
    assert (message.thread, message.source, message.tier) == ("titan", "open", None)
    assert message.created_at == NOW
    assert message.confidence == 1.0


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "content",
    ["", "\x00\x01\x1b[31m\r\n", "🦊" * 10, "שלום עולם", "e\u0301 ⟦41⟧ ¶ ▒", "한국어와 English 섞기", "x" * 20_000],
)
@pytest.mark.slow
def test_every_text_round_trips_open_and_sealed(memory: Memory, content: str) -> None:
    memory.store("ana", [NewMessage(role="tool", content=content, id="m")])
    assert memory.message("ana", "m").text == content

    memory.seal("ana")

    message = memory.message("ana", "m")
    assert (message.text, message.source) == (content, "text")
    assert message.page_ids


@pytest.mark.both_databases
def test_very_old_times_are_valid(memory: Memory) -> None:
    at = datetime(1, 1, 2, tzinfo=UTC)
    memory.store("ana", [NewMessage(role="user", content="in the beginning", created_at=at, id="m")])
    memory.seal("ana")
    assert memory.message("ana", "m").created_at == at


@pytest.mark.both_databases
def test_same_message_again_adds_nothing(memory: Memory) -> None:
    message = NewMessage(role="user", content="hello", id="m1", created_at=NOW)
    memory.store("ana", [message])

    again = memory.store("ana", [message])

    assert (again.stored, again.duplicates) == (0, 1)
    assert memory.bank("ana").messages == 1


@pytest.mark.both_databases
@pytest.mark.parametrize("change", [{"content": "bye"}, {"role": "assistant"}, {"name": "Bo"}, {"thread": "other"}])
def test_same_id_with_another_message_is_a_conflict_and_changes_nothing(memory: Memory, change: dict[str, str]) -> None:
    memory.store("ana", [{"role": "user", "content": "hello", "id": "m1"}])

    with pytest.raises(Conflict, match="m1"):
        memory.store(
            "ana", [{"role": "user", "content": "new"}, {"role": "user", "content": "hello", "id": "m1", **change}]
        )

    assert memory.bank("ana").messages == 1
    assert memory.message("ana", "m1").text == "hello"


def test_another_text_under_the_id_of_a_sealed_message_is_a_conflict_whatever_its_digest(
    memory: Memory, database_url: str
) -> None:
    """A digest of two bytes, of which 65,536 texts try each, was not enough."""
    memory.store("ana", [NewMessage(role="user", content="number 000000", id="m")])
    memory.seal("ana")
    key = bytes(execute(database_url, "SELECT value FROM secrets WHERE name = 'digests'")[0][0])
    numbers = (f"number {number:06}" for number in range(1_000_000))
    digests = ((text, message_digest(key, ["user", None, text], None)) for text in numbers)
    _, first = next(digests)
    alike = next(text for text, digest in digests if digest[:2] == first[:2])
    with pytest.raises(Conflict, match="'m' belongs to another message"):
        memory.store("ana", [NewMessage(role="user", content=alike, id="m")])


@pytest.mark.both_databases
def test_duplicates_are_detected_after_sealing(memory: Memory) -> None:
    memory.store("ana", [{"role": "user", "content": "hello", "id": "m1"}])
    memory.seal("ana")
    assert memory.store("ana", [{"role": "user", "content": "hello", "id": "m1"}]).duplicates == 1
    with pytest.raises(Conflict):
        memory.store("ana", [{"role": "user", "content": "other", "id": "m1"}])


@pytest.mark.both_databases
def test_idempotency_key_returns_the_first_answer_again(memory: Memory) -> None:
    first = memory.store("ana", [{"role": "user", "content": "hello"}], idempotency_key="k")
    second = memory.store("ana", [{"role": "user", "content": "hello"}], idempotency_key="k")

    assert second == first
    assert memory.bank("ana").messages == 1
    with pytest.raises(Conflict, match="idempotency"):
        memory.store("ana", [{"role": "user", "content": "other"}], idempotency_key="k")


@pytest.mark.usefixtures("words_alone")
@pytest.mark.both_databases
def test_banks_are_isolated(memory: Memory) -> None:
    memory.store("ana", [{"role": "user", "content": "the password is swordfish", "id": "m"}])
    memory.store("bo", [{"role": "user", "content": "nothing here", "id": "m"}])

    assert memory.message("bo", "m").text == "nothing here"
    assert memory.recall("bo", "swordfish").spans == []
    assert [bank.id for bank in memory.banks().banks] == ["ana", "bo"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"role": "wizard", "content": "x"}, InvalidInput),
        ({"role": "user"}, InvalidInput),
        ({"role": "user", "content": 7}, InvalidInput),
        ({"role": "user", "content": "x", "colour": "red"}, InvalidInput),
        ({"role": "user", "content": "\ud800"}, InvalidInput),
        ({"role": "user", "content": "x", "name": "a\nb"}, InvalidInput),
        ({"role": "user", "content": "x", "created_at": "2026-03-02T09:15:00"}, InvalidTime),
        ({"role": "user", "content": "x", "created_at": "yesterday"}, InvalidTime),
        ({"role": "user", "content": "x", "created_at": NOW + timedelta(hours=1)}, InvalidTime),
        ({"role": "user", "content": "x" * (1 << 20) + "x"}, MessageTooLarge),
    ],
)
def test_invalid_message_rejects_the_whole_call(
    memory: Memory, message: dict[str, object], error: type[Exception]
) -> None:
    memory.store("ana", [{"role": "user", "content": "good"}])
    with pytest.raises(error, match=r"messages\[1\]"):
        memory.store("ana", [{"role": "user", "content": "also good"}, message])
    assert memory.bank("ana").messages == 1


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("hello", "not a str"),
        (b"hello", "not a bytes"),
        ({"role": "user", "content": "hello"}, "not a dict"),
        (NewMessage(role="user", content="hello"), "not a NewMessage"),
        (None, "not None"),
        (7, "not an int"),
    ],
)
def test_what_is_not_a_list_of_messages_is_rejected_with_the_right_call(
    memory: Memory, messages: Any, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        memory.store("ana", messages)
    assert "[{'role': 'user', 'content': 'hello'}]" in str(caught.value)
    assert memory.banks().banks == []


@pytest.mark.parametrize(("item", "said"), [("hello", "not a str"), (None, "not None"), (["user", "x"], "not a list")])
def test_an_item_that_is_not_a_message_is_rejected_with_its_place(memory: Memory, item: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=rf"messages\[1\].*{said}"):
        memory.store("ana", [{"role": "user", "content": "good"}, item])
    assert memory.banks().banks == []


def test_messages_may_come_from_a_generator_but_not_be_none_or_endless(memory: Memory) -> None:
    assert memory.store("ana", ({"role": "user", "content": text} for text in "abc")).stored == 3
    with pytest.raises(InvalidInput, match="at least one message"):
        memory.store("ana", [])
    with pytest.raises(InvalidInput, match="more than 10,000"):
        memory.store("ana", repeat(NewMessage(role="user", content="again")))
    assert memory.bank("ana").messages == 3


@pytest.mark.parametrize("bank", ["", "a/b", "a b", "..", "x" * 201])
def test_invalid_bank_names_are_rejected(memory: Memory, bank: str) -> None:
    with pytest.raises(InvalidInput, match="bank"):
        memory.store(bank, [{"role": "user", "content": "x"}])


def test_missing_bank_message_and_page_are_not_found(memory: Memory) -> None:
    with pytest.raises(NotFound, match="bank 'nobody'"):
        memory.bank("nobody")
    memory.store("ana", [{"role": "user", "content": "x"}])
    with pytest.raises(NotFound, match="message 'm'"):
        memory.message("ana", "m")
    with pytest.raises(NotFound, match="page 'p'"):
        memory.page("ana", "p")


@pytest.mark.both_databases
def test_calls_that_are_given_together_succeed_and_fail_each(database_url: str) -> None:
    said = {"id": "m", "role": "user", "content": "We ship Titan on 14 March."}
    calls = [
        StoreCall("ana", [said], "plans"),
        StoreCall("ana", [said], "plans"),
        StoreCall("ana", [{**said, "content": "another"}]),
        StoreCall("ana", [{"role": "nobody", "content": "x"}]),
        StoreCall("ben", [said, {"role": "user", "content": "And Atlas in May."}], idempotency_key="once"),
        StoreCall("not a name", [said]),
        StoreCall("ben", [{"role": "user", "content": "something else"}], idempotency_key="once"),
    ]
    with Memory(database_url) as memory:
        assert memory.operations.store_each([]) == []
        answers = memory.operations.store_each(calls)
        kinds = [type(answer) for answer in answers]
        assert kinds == [StoreResult, StoreResult, Conflict, InvalidInput, StoreResult, InvalidInput, Conflict]
        stored = [answer.stored for answer in answers if isinstance(answer, StoreResult)]
        assert stored == [1, 0, 2]
        assert memory.message("ana", "m").thread == "plans"
        assert memory.bank("ben").messages == 2


def test_a_long_message_is_split_into_passages_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    split: list[int] = []

    def counted(text: str) -> list[Passage]:
        split.append(len(text))
        return split_passages(text)

    monkeypatch.setattr(accepted_message, "split_passages", counted)
    with Memory(database_url, options=MemoryOptions(embedder=HashingEmbedder())) as memory:
        memory.store("ana", [{"role": "user", "content": "The crane waits for the tide. " * 200}])
        assert split == [6_000]
        assert memory.recall("ana", "crane").spans
