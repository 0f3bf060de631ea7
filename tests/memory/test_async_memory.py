"""A memory in process for asynchronous programs."""

import asyncio
from pathlib import Path

import pytest

from foxing.memory import AsyncMemory, ContextRequest, Memory, NotFound, Policy, RecordStore
from foxing.memory.async_memory import AsyncRecordStore

SAID = {"id": "m", "role": "user", "content": "We ship Titan on 14 March.", "created_at": "2026-01-05T09:00:00Z"}


async def use(path: Path) -> None:
    async with await AsyncMemory.open(path) as memory:
        await memory.set_policy("ana", {"age_from": "message"})
        assert (await memory.store("ana", [SAID], thread="titan")).stored == 1
        assert [span.message_id for span in (await memory.recall("ana", "Titan")).spans] == ["m"]
        assert [message.text async for message in memory.export("ana")] == [SAID["content"]]
        assert (await memory.message("ana", "m")).thread == "titan"
        shown = await memory.context("ana", ContextRequest(reader="text", budget=500, query="Titan"))
        assert "Titan" in str(shown.content)
        (page,) = (await memory.seal("ana")).pages
        assert [each.id for each in (await memory.pages("ana")).pages] == [page]
        assert "Titan" in (await memory.read_page("ana", page)).text
        assert (await memory.page_image("ana", page)).startswith(b"\x89PNG")
        assert (await memory.recall_images("ana", "Titan")).images[0].page_id == page
        assert (await memory.pin("ana", page)).pinned
        assert not (await memory.pin("ana", page, pinned=False)).pinned
        assert (await memory.page("ana", page)).tier == "base"
        assert (await memory.age("ana", now="2026-02-20", dry_run=True)).moved[0].to_tier == "tiny"
        assert (await memory.set_policy("ana", Policy(keep_text="always"))).keep_text == "always"
        assert (await memory.policy("ana")).keep_text == "always"
        assert (await memory.bank("ana")).messages == (await memory.banks()).banks[0].messages == 1
        await memory.records.write("ana", [{"op": "put", "namespace": ["n"], "key": "k", "value": 1}])
        with pytest.raises(NotFound):
            await memory.bank("ben")


def test_its_methods_are_those_of_a_memory(database_path: Path) -> None:
    asyncio.run(use(database_path))
    with Memory(database_path) as memory:
        assert memory.records.search("ana").records[0].value == 1


def test_calls_run_beside_each_other_and_the_event_loop_goes_on(database_path: Path) -> None:
    async def run(opened: Memory) -> int:
        memory = AsyncMemory(opened, threads=4)
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        stores = (memory.store("ana", [{"role": "user", "content": f"note {number}"}]) for number in range(20))
        await asyncio.gather(*stores)
        counting.cancel()
        return turns

    with Memory(database_path) as opened:
        assert asyncio.run(run(opened)) > 20
        assert opened.bank("ana").messages == 20


def test_every_method_of_a_memory_can_be_awaited() -> None:
    public = {name for name in vars(Memory) if not name.startswith("_")}
    apart = {"now", "codec", "operations", "close"}  # asynchronous methods for closing are called `aclose`, as in httpx
    assert public - apart <= {name for name in vars(AsyncMemory)}
    assert "aclose" in vars(AsyncMemory)
    assert {name for name in vars(RecordStore) if not name.startswith("_")} <= set(vars(AsyncRecordStore))
