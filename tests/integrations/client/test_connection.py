"""Calls on whatever a connection is connected to: the same answers over HTTP and in process."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from foxing.integrations.client import Client, Connection, Target, connect
from foxing.memory import (
    Conflict,
    ContextRequest,
    InvalidInput,
    Memory,
    NotFound,
    Policy,
    Records,
    StoreResult,
    ToolCall,
)

pytestmark = pytest.mark.usefixtures("message_ages")

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOTHING = Records(records=[], next_cursor=None)
LATER = "2026-02-20T12:00:00Z"
AGEING: dict[str, object] = {"age_from": "message"}  # the talk is older than the test
TALK: list[dict[str, object]] = [
    {"id": "m1", "role": "user", "content": "We ship Titan on 14 March.", "created_at": AT, "metadata": {"n": 1}},
    {
        "id": "m2",
        "role": "assistant",
        "content": [{"type": "tool_call", "id": "c", "name": "find", "arguments": {"query": "Titan"}}],
        "created_at": "2026-01-05T09:01:00Z",
    },
]


@pytest.fixture
def connection(target: Target, bank: str) -> Iterator[Connection]:
    with connect(target, bank) as connection:
        yield connection


def test_messages_are_stored_and_recalled(connection: Connection) -> None:
    bank = connection.bank
    stored = connection.run(lambda memory: memory.store(bank, TALK, thread="titan"))
    assert (stored.ids, stored.stored, stored.duplicates) == (["m1", "m2"], 2, 0)
    assert connection.run(lambda memory: memory.store(bank, TALK, thread="titan")).duplicates == 2
    found = connection.run(lambda memory: memory.recall(bank, "when does Titan ship?", limit=1, metadata={"n": 1}))
    (span,) = found.spans
    assert (span.message_id, span.text, span.created_at) == ("m1", "We ship Titan on 14 March.", AT)
    assert (span.thread, span.role, span.metadata, span.source) == ("titan", "user", {"n": 1}, "open")
    assert span.score is not None
    listed = connection.run(
        lambda memory: memory.recall(bank, since="2026-01-05", until=datetime(2026, 1, 6, tzinfo=UTC))
    )
    assert [message.message_id for message in listed.spans] == ["m1", "m2"]
    assert listed.spans[1].parts == [ToolCall(id="c", name="find", arguments={"query": "Titan"})]
    assert connection.run(lambda memory: memory.message(bank, "m1")).text == "We ship Titan on 14 March."


def test_pages_are_sealed_read_pinned_and_aged(connection: Connection) -> None:
    bank = connection.bank
    connection.run(lambda memory: memory.set_policy(bank, AGEING))
    connection.run(lambda memory: memory.store(bank, TALK))
    sealed = connection.run(lambda memory: memory.seal(bank, now="2026-01-06T00:00:00Z"))
    assert (len(sealed.pages), sealed.messages, sealed.open_messages) == (1, 2, 0)
    (page,) = connection.run(lambda memory: memory.pages(bank)).pages
    assert (page.id, page.tier, page.text_kept) == (sealed.pages[0], "base", True)
    reading = connection.run(lambda memory: memory.read_page(bank, page.id))
    assert "Titan" in reading.text
    assert reading.lines[0].row == 0
    assert connection.run(lambda memory: memory.page_image(bank, page.id)).startswith(b"\x89PNG")
    preview = connection.run(lambda memory: memory.preview_page(bank, page.id, "micro"))
    assert (preview.to_tier, preview.messages[0].message_id) == ("micro", "m1")
    connection.run(lambda memory: memory.check())
    assert connection.run(lambda memory: memory.pin(bank, page.id)).pinned
    assert connection.run(lambda memory: memory.age(bank, now=LATER)).moved == []
    assert not connection.run(lambda memory: memory.pin(bank, page.id, pinned=False)).pinned
    (move,) = connection.run(lambda memory: memory.age(bank, now=LATER, dry_run=True)).moved
    assert (move.from_tier, move.to_tier) == ("base", "tiny")
    assert connection.run(lambda memory: memory.age(bank, now=LATER)).moved[0].to_tier == "tiny"
    assert connection.run(lambda memory: memory.page(bank, page.id)).tier == "tiny"
    images = connection.run(lambda memory: memory.recall_images(bank, "Titan")).images
    assert [image.page_id for image in images] == [page.id]
    shown = connection.run(
        lambda memory: memory.context(bank, ContextRequest(reader="claude", budget=1000, query="Titan", form="openai"))
    )
    assert "Titan" in str(shown.content)
    assert shown.billed_tokens <= 1000
    numbers = connection.run(lambda memory: memory.bank(bank))
    assert (numbers.messages, numbers.tiers["tiny"].pages) == (2, 1)
    assert numbers.bytes.total > 0
    assert bank in [each.id for each in connection.run(lambda memory: memory.banks(limit=500)).banks]


def test_ageing_is_undone_and_messages_are_erased(connection: Connection) -> None:
    bank = connection.bank
    connection.run(lambda memory: memory.set_policy(bank, AGEING))
    connection.run(lambda memory: memory.store(bank, TALK))
    (page,) = connection.run(lambda memory: memory.seal(bank, now="2026-01-06T00:00:00Z")).pages
    connection.run(lambda memory: memory.age(bank, now=LATER))
    undone = connection.run(lambda memory: memory.undo(bank, now=LATER, page=page))
    assert [(each.page_id, each.to_tier, each.text_restored) for each in undone.restored] == [(page, "base", True)]
    assert connection.run(lambda memory: memory.undo(bank, since="yesterday", now=LATER)).restored == []
    erased = connection.run(lambda memory: memory.erase_message(bank, "m1"))
    assert (erased.messages, erased.pages[0].deleted) == (1, False)
    with pytest.raises(NotFound):
        connection.run(lambda memory: memory.erase_message(bank, "m1"))
    (left,) = connection.run(lambda memory: memory.recall(bank)).spans
    assert connection.run(lambda memory: memory.erase_thread(bank, left.thread)).pages[0].deleted
    assert connection.run(lambda memory: memory.erase_bank(bank)).messages == 0
    with pytest.raises(NotFound):
        connection.run(lambda memory: memory.bank(bank))


def test_policies_are_set(connection: Connection) -> None:
    assert (
        connection.run(lambda memory: memory.set_policy(connection.bank, Policy(keep_text="always"))).keep_text
        == "always"
    )
    assert connection.run(lambda memory: memory.policy(connection.bank)) == Policy(keep_text="always")
    with pytest.raises(InvalidInput) as caught:
        connection.run(lambda memory: memory.set_policy(connection.bank, {"keep_text": "forever"}))
    assert "keep_text" in str(caught.value)


def test_records_come_back_exactly(connection: Connection) -> None:
    bank = connection.bank
    value = {"z": 1.0, "a": [1, None, "x\0 ☂"]}
    (change,) = connection.run(
        lambda memory: memory.records.write(
            bank, [{"op": "put", "namespace": ("notes", "a"), "key": "k", "value": value, "ttl_s": 60}]
        )
    ).changes
    found = connection.run(
        lambda memory: memory.records.get(
            bank, [{"namespace": ["notes", "a"], "key": "k"}, {"namespace": ["notes"], "key": "k"}], refresh_ttl=True
        )
    )
    assert found.records[1] is None
    record = found.records[0]
    assert record is not None
    assert (record.value, record.version, record.namespace) == (value, change.version, ["notes", "a"])
    assert (
        connection.run(lambda memory: memory.records.search(bank, namespace=["notes"], query="x")).records[0].key == "k"
    )
    assert connection.run(lambda memory: memory.records.search(bank, filter=[{"member": "z", "value": 2}])) == NOTHING
    assert connection.run(lambda memory: memory.records.namespaces(bank)).namespaces == [["notes", "a"]]
    with pytest.raises(Conflict) as caught:
        connection.run(
            lambda memory: memory.records.write(
                bank, [{"op": "put", "namespace": ["notes", "a"], "key": "k", "value": None, "if_version": 0}]
            )
        )
    assert caught.value.problem == "conflict"
    connection.run(lambda memory: memory.records.write(bank, [{"op": "clear", "namespace": ["notes"]}]))
    assert connection.run(lambda memory: memory.records.search(bank)) == NOTHING


def test_a_missing_bank_is_an_error_or_what_the_caller_says(connection: Connection) -> None:
    with pytest.raises(NotFound) as caught:
        connection.run(lambda memory: memory.records.search(connection.bank))
    assert caught.value.problem == "not-found"
    with pytest.raises(InvalidInput) as invalid:
        connection.run(lambda memory: memory.store(connection.bank, [{"role": "user", "content": None}]))
    assert "content" in str(invalid.value)
    with pytest.raises(InvalidInput):
        connection.run(lambda memory: memory.recall(connection.bank, limit=0))


def test_a_call_runs_on_every_event_loop(connection: Connection) -> None:
    bank = connection.bank

    async def use(number: int) -> int:
        await connection.run_async(
            lambda memory: memory.store(bank, [{"id": f"m{number}", "role": "user", "content": "hello"}])
        )
        found = await connection.run_async(lambda memory: memory.recall(bank))
        await connection.aclose()
        return len(found.spans)

    assert [asyncio.run(use(number)) for number in range(3)] == [1, 2, 3]
    connection.close()
    assert len(connection.run(lambda memory: memory.recall(bank)).spans) == 3  # and it opens again


def test_the_same_call_can_be_run_twice(connection: Connection) -> None:

    def call(memory: Memory | Client) -> StoreResult:
        return memory.store(connection.bank, [{"role": "user", "content": "hello"}], idempotency_key="once")

    assert connection.run(call) == connection.run(call)
    assert len(connection.run(lambda memory: memory.recall(connection.bank)).spans) == 1


def test_a_database_is_opened_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with connect(path, "ana") as connection:
        assert not path.exists()
        connection.run(lambda memory: memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}]))
    with connect(f"sqlite:///{path}", "ana") as connection:
        assert connection.run(lambda memory: memory.message("ana", "m")).text == "hello"


def test_a_memory_that_was_given_stays_open(shared_memory: Memory, bank: str) -> None:
    with connect(shared_memory, bank) as connection:
        connection.run(lambda memory: memory.store(bank, [{"role": "user", "content": "hello"}]))
    assert shared_memory.bank(bank).messages == 1


@pytest.mark.parametrize("bank", ["", ".", "..", "a/b", "a b", "한국어", "x" * 201])
def test_an_invalid_bank_is_refused_at_once(tmp_path: Path, bank: str) -> None:
    with pytest.raises(InvalidInput, match="not a valid name of a bank"):
        connect(tmp_path / "agent.db", bank)


def test_what_cannot_be_connected_to_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a int"):
        connect(7, "ana")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="is only for a service"):
        connect(tmp_path / "agent.db", "ana", api_key="secret")
