"""One way in has seen the whole result of a tool, another an excerpt: the whole one is kept, whichever came first."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.hooked_codec import HookedCodec
from support.images import encoded
from support.operations.checks import check, examples

from foxing.memory import ImagePart, Memory

pytestmark = pytest.mark.both_databases

TURN = f"turn-{'0f' * 16}"
LINES = [f"src/harbour_{number}.py: {number} cranes are green" for number in range(200)]
WHOLE = "\n".join([*LINES, "the lighthouse is red"])
EXCERPTS = {
    "beginning": "\n".join(LINES[:50]),
    "beginning with a mark": "\n".join(LINES[:50]) + "\n… [151 lines truncated]",
    "beginning and end": "\n".join([*LINES[:9], "[… 190 more lines …]", *LINES[-2:], "the lighthouse is red"]),
    "cleared": "[Old tool result content cleared]",
}


def result(content: str, *images: str, call: str = "toolu_0123456789abcdef", **fields: Any) -> dict[str, Any]:
    parts: list[Any] = [{"type": "tool_result", "id": call, "content": content}]
    parts += [{"type": "image", "data": data} for data in images]
    return {"id": TURN, "role": "tool", "content": parts, **fields}


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as memory:
        yield memory
    assert examples(check(database_url, embedder="use")) == []


def content(memory: Memory) -> str:
    part = (memory.message("ana", TURN).parts or [])[0]
    return str(part.content)  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("excerpt", EXCERPTS)
@pytest.mark.parametrize("first", ["excerpt", "whole"])
def test_the_whole_result_stays(memory: Memory, excerpt: str, first: str) -> None:
    versions = [result(EXCERPTS[excerpt]), result(WHOLE)]
    for version in versions if first == "excerpt" else versions[::-1]:
        memory.store("ana", [{**version, "created_at": "2026-09-01T08:00:00Z"}])
    assert content(memory) == WHOLE
    found = memory.recall("ana", "the lighthouse is red")
    assert {span.message_id for span in found.spans} == {TURN}
    assert any("the lighthouse is red" in span.text for span in found.spans)
    assert found.spans[0].created_at == datetime(2026, 9, 1, 8, tzinfo=UTC)
    assert memory.bank("ana").messages == 1
    memory.seal("ana")
    assert content(memory) == WHOLE


def test_another_result_under_the_same_id_changes_nothing(memory: Memory) -> None:
    memory.store("ana", [result("\n".join(LINES))])
    memory.store("ana", [result(WHOLE.replace("cranes", "gulls") * 2)])
    assert content(memory) == "\n".join(LINES)


@pytest.mark.slow
def test_what_is_on_a_page_stays_as_it_is(memory: Memory) -> None:
    memory.store("ana", [result(EXCERPTS["beginning"])])
    memory.seal("ana")
    assert memory.store("ana", [result(WHOLE)]).duplicates == 1
    assert content(memory) == EXCERPTS["beginning"]


def test_an_image_that_another_way_has_seen_is_added(memory: Memory) -> None:
    data = base64.b64encode(encoded()).decode()
    memory.store("ana", [result("the harbour")])
    memory.store("ana", [result("the harbour", data)])
    memory.store("ana", [result("the harbour")])
    parts = memory.message("ana", TURN).parts or []
    assert [part.data for part in parts if isinstance(part, ImagePart)] == [data]


def test_words_that_were_said_are_not_replaced(memory: Memory) -> None:
    for words in ("ok", "ok, and this was never said"):
        memory.store("ana", [{"id": TURN, "role": "user", "content": words}])
    assert memory.message("ana", TURN).text == "ok"


@pytest.mark.slow
def test_a_result_that_becomes_whole_while_it_is_sealed_is_on_the_page(database_url: str) -> None:
    with Memory(database_url) as other:
        other.store("ana", [result(EXCERPTS["beginning"])])
        stored: list[int] = []

        def store() -> None:
            if not stored:
                stored.append(other.store("ana", [result(WHOLE)]).duplicates)

        with Memory(database_url, codec=HookedCodec(before_encode=store)) as memory:
            memory.seal("ana")
            assert stored == [1]
            assert content(memory) == WHOLE
    assert examples(check(database_url, embedder="use")) == []
