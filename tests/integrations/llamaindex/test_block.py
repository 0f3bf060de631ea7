"""The block: text and page images in a prompt, many agents, lost answers, and bad input."""

import asyncio
import base64
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    CitableBlock,
    ContentBlock,
    ImageBlock,
    TextBlock,
    ToolCallBlock,
)
from support.images import encoded

from foxing.integrations.client import ServiceOptions, Target, Unreachable, connect
from foxing.integrations.llamaindex import FoxingMemoryBlock
from foxing.memory import ImagePart, InvalidInput

from ..client.lossy import LossyServer, lossy_server
from ..conftest import Service, slow_over_http

AGENTS = 100


def get(block: FoxingMemoryBlock, question: str) -> list[ContentBlock]:
    """Asks a question, and closes."""

    async def use() -> list[ContentBlock]:
        try:
            return await block.aget([ChatMessage(question)])
        finally:
            await block.aclose()

    return asyncio.run(use())


def put(block: FoxingMemoryBlock, *messages: Any, session: str | None = None) -> list[ContentBlock]:
    """Puts messages, asks when Titan ships, and closes."""

    async def use() -> list[ContentBlock]:
        try:
            await block.aput(list(messages), session_id=session)
            return await block.aget([ChatMessage("When does Titan ship?")])
        finally:
            await block.aclose()

    return asyncio.run(use())


def test_what_is_put_is_found_as_text(target: Target, bank: str) -> None:
    call = ToolCallBlock(tool_call_id="c1", tool_name="ship", tool_kwargs={"day": 14})
    said = [ChatMessage("Titan ships on 14 March."), ChatMessage([call], role="assistant")]
    said += [ChatMessage([ImageBlock(url="https://example.org/a.png")]), ChatMessage("Noted.", role="model")]
    found = put(FoxingMemoryBlock.connect(target, bank), *said, session="chat")
    assert any("Titan ships on 14 March." in each.text for each in found if isinstance(each, TextBlock))
    off_topic = "Titan, zebras, oboes, algae, quarks and gluons"
    assert get(FoxingMemoryBlock.connect(target, bank), off_topic) == []
    assert get(FoxingMemoryBlock.connect(target, bank, min_relevance=0), off_topic) != []
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank)).spans
    assert [(span.thread, span.role) for span in spans] == [
        ("chat", "user"),
        ("chat", "assistant"),
        ("chat", "user"),
        ("chat", "assistant"),
    ]
    assert spans[2].text == "■ image 1, <https://example.org/a.png>"


def test_what_stands_inside_other_blocks_is_remembered(target: Target, bank: str) -> None:
    call = ToolCallBlock(tool_call_id="c1", tool_name="ship", tool_kwargs={"at": datetime(2026, 3, 14, tzinfo=UTC)})
    source = CitableBlock(title="Plan", source="plan.md", content=[TextBlock(text="Titan waits for customs.")])
    put(FoxingMemoryBlock.connect(target, bank), ChatMessage([call], role="assistant"), ChatMessage([source]))
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank)).spans
    assert "2026-03-14" in spans[0].text
    assert "Plan" in spans[1].text
    assert "Titan waits for customs." in spans[1].text


def test_a_reader_that_sees_gets_page_images(target: Target, bank: str) -> None:
    with connect(target, bank) as connection:
        connection.run(
            lambda memory: memory.store(
                bank, [{"role": "user", "content": "Titan ships.", "created_at": "2026-01-05T09:00:00Z"}]
            )
        )
        connection.run(lambda memory: memory.seal(bank, now="2026-01-10"))
    found = put(FoxingMemoryBlock.connect(target, bank, reader="claude"))
    (image,) = found
    assert isinstance(image, ImageBlock)
    assert image.resolve_image().read(4) == b"\x89PNG"


@slow_over_http
def test_a_hundred_agents_at_once_lose_nothing(target: Target, bank: str) -> None:
    async def talk() -> None:
        block = FoxingMemoryBlock.connect(target, bank)
        await asyncio.gather(*(block.aput([ChatMessage(f"{n}")], session_id=f"agent-{n}") for n in range(AGENTS)))
        await block.aclose()

    asyncio.run(talk())
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank, limit=500)).spans
    assert Counter((span.thread, span.text) for span in spans) == {(f"agent-{n}", f"{n}"): 1 for n in range(AGENTS)}


def test_messages_are_kept_while_the_service_fails(
    service: Service, bank: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(lossy: LossyServer) -> None:
        block = FoxingMemoryBlock.connect(ServiceOptions(lossy.url, retry_for_s=0.05), bank)
        lossy.lose = 1_000  # the first is stored, and its answer lost: it is not stored again
        await block.aput([ChatMessage("first")], session_id="chat")
        await block.aput([ChatMessage("second"), ChatMessage("third")], session_id="chat")
        assert block.pending == 3
        assert "3 messages will be stored later" in caplog.text
        with pytest.raises(Unreachable):
            await block.aget([ChatMessage("first?")])
        lossy.lose = 0
        with pytest.raises(InvalidInput):  # is not kept
            await block.aput([ChatMessage("x", additional_kwargs={"session_id": "\n"})])
        assert block.pending == 0
        await block.aput([ChatMessage("fourth")], session_id="chat")
        lossy.lose = 1_000
        await block.aput([ChatMessage("fifth")], session_id="chat")
        assert block.pending == 1
        lossy.lose = 0
        await block.aclose()
        assert block.pending == 0

    with lossy_server(service.url) as lossy:
        asyncio.run(use(lossy))
    found = service.memory.recall(bank).spans
    assert [message.text for message in found] == ["first", "second", "third", "fourth", "fifth"]


def test_closing_says_what_is_lost(bank: str) -> None:
    block = FoxingMemoryBlock.connect(ServiceOptions("http://127.0.0.1:9", retry_for_s=0.05), bank)

    async def use() -> None:
        await block.aput([ChatMessage("first")])
        with pytest.raises(Unreachable):
            await block.aclose()

    asyncio.run(use())
    assert block.pending == 1
    with pytest.raises(Unreachable):
        block.close()


def test_bad_input(target: Target, bank: str) -> None:
    with pytest.raises(InvalidInput, match="message 0 is of type str"):
        put(FoxingMemoryBlock.connect(target, bank), "hello")
    assert put(FoxingMemoryBlock.connect(target, "no-such-bank")) == []
    with pytest.raises(ValueError, match="500"):
        FoxingMemoryBlock.connect(target, bank, k=501)


def test_the_worst_matches_are_left_out_first(target: Target, bank: str) -> None:
    block = FoxingMemoryBlock.connect(target, bank)
    best, worst = TextBlock(text="x" * 40), TextBlock(text="y" * 40)
    assert asyncio.run(block.atruncate([best, worst], 5)) == [best]
    assert asyncio.run(block.atruncate([best, worst], 50)) is None


@pytest.mark.parametrize("form", ["bytes", "path", "data URL"])
def test_images_are_remembered_and_come_back(target: Target, bank: str, tmp_path: Path, form: str) -> None:
    content = encoded()
    (tmp_path / "plan.png").write_bytes(content)
    block = {
        "bytes": lambda: ImageBlock(image=content),
        "path": lambda: ImageBlock(path=tmp_path / "plan.png"),
        "data URL": lambda: ImageBlock(url=f"data:image/png;base64,{base64.b64encode(content).decode()}"),
    }[form]()
    said = ChatMessage([TextBlock(text="The plan for when Titan ships"), block])
    damaged = ChatMessage([TextBlock(text="Broken"), ImageBlock(image=content[:-20])])
    found = put(FoxingMemoryBlock.connect(target, bank, images=2), said, damaged)
    [image] = [each for each in found if isinstance(each, ImageBlock)]
    assert image.resolve_image().read() == content
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank, "plan Titan")).spans
    [part] = [part for span in spans for part in span.parts or () if isinstance(part, ImagePart)]
    assert part.name == ("plan.png" if form == "path" else None)
