"""Images of messages in a context."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.images import encoded, picture, pixels_of

from foxing.memory import ContextRequest, ContextResult, Memory, MemoryOptions
from foxing.renderer.readers import Readers

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
PHOTO = encoded("JPEG", picture(1_000, 600), quality=90)
TEXT = {"type": "text", "text": "The crane at pier 7 after the storm"}


def image(content: bytes = PHOTO) -> dict[str, Any]:
    return {"type": "image", "data": base64.b64encode(content).decode(), "name": "crane.jpg", "alt": "A bent crane"}


@pytest.fixture(params=["open", "sealed", "small"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    options = MemoryOptions(embedder="none")
    with Memory(tmp_path / "foxing.db", clock=lambda: NOW, options=options) as memory:
        said = [TEXT, image()]
        memory.store("ana", [{"id": "m", "role": "user", "name": "Mina", "content": said, "created_at": NOW}])
        if request.param != "open":
            memory.seal("ana")
        if request.param == "small":
            memory.age("ana", now=NOW + timedelta(days=8))
        yield memory


def build(memory: Memory, reader: str, budget: int, **fields: Any) -> ContextResult:
    request = {"reader": reader, "budget": budget, "query": "the crane at pier 7", "form": "blocks"} | fields
    return memory.context("ana", ContextRequest.from_fields(request))


def shown(result: ContextResult) -> list[dict[str, Any]]:
    return [block for block in result.content if block["type"] == "image"]


@pytest.mark.slow
def test_a_reader_that_sees_gets_the_image_at_the_size_that_the_budget_allows(memory: Memory) -> None:
    sizes = []
    for budget in (1_000, 2_000, 4_000, 8_000):
        result = build(memory, "claude", budget, show="best")
        text = build(memory, "claude", budget, show="text")
        assert result.billed_tokens <= budget
        assert shown(text) == []
        found = shown(result)
        billing = Readers()["claude"].billing
        assert billing is not None
        tokens = sum(billing.tokens(block["width"], block["height"]) for block in found)
        assert [block["tokens"] for block in found] == [tokens] * len(found)
        assert result.image_tokens >= tokens
        sizes.append(max((block["width"] for block in found), default=0))
        for block in found:
            assert pixels_of(base64.b64decode(block["data"])).size == (block["width"], block["height"])
            assert block["media_type"] == f"image/{(pixels_of(base64.b64decode(block['data'])).format or '').lower()}"
    held = next(part for part in memory.message("ana", "m").parts or [] if part.type == "image").width
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] < held == sizes[-1]  # type: ignore[operator]


def test_the_image_stands_after_its_label(memory: Memory) -> None:
    result = build(memory, "claude", 4_000)
    label = str(result.content[-2]["text"])
    assert result.content[-1]["type"] == "image"
    assert label.startswith("Image of the message of Mina from 2026-03-02 09:15:")
    assert '■ image 1, 1000x600 px, crane.jpg: "A bent crane"' in label
    assert build(memory, "claude", 4_000).content == result.content


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"reader": "text"}, {"show": "text"}, {"images_used": 10_000}])
def test_a_text_only_reader_or_one_without_room_gets_the_label(memory: Memory, fields: dict[str, Any]) -> None:
    result = build(memory, **({"reader": "claude", "budget": 4_000} | fields))
    assert shown(result) == []
    assert "■ image 1, 1000x600 px, crane.jpg" in str(result.content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "of_block"),
    [
        ("anthropic", lambda block: block["source"]["data"]),
        ("openai", lambda block: block["image_url"]["url"].partition(",")[2]),
        ("openai-responses", lambda block: block["image_url"].partition(",")[2]),
        ("gemini", lambda block: block["inline_data"]["data"]),
    ],
)
def test_what_a_provider_gets_can_be_stored_again(memory: Memory, form: str, of_block: Any) -> None:
    result = build(memory, "claude", 4_000, form=form)
    block: Any = result.content[-1]
    data = of_block(block)
    block.pop("transformations", None)
    memory.store("ben", [{"id": "n", "role": "user", "content": [block]}])
    [part] = memory.message("ben", "n").parts or []
    assert part.data == data  # type: ignore[union-attr]


READ = {"text": "Wind 98 km/h\nbent by 4 degrees", "confidence": 0.91}


@pytest.mark.parametrize("fields", [{"reader": "text"}, {"reader": "claude", "show": "text"}])
def test_a_text_only_reader_gets_what_a_machine_read_in_the_image(tmp_path: Path, fields: dict[str, Any]) -> None:
    options = MemoryOptions(embedder="none", read_images=False)
    with Memory(tmp_path / "foxing.db", clock=lambda: NOW, options=options) as memory:
        said = [TEXT, image() | {"machine_read": READ}]
        memory.store("ana", [{"id": "m", "role": "user", "name": "Mina", "content": said, "created_at": NOW}])
        memory.seal("ana")
        result = build(memory, **({"budget": 4_000} | fields))
        [text] = [str(block["text"]) for block in result.content if "98 km/h" in str(block)]
        assert "read by machine with confidence 0.91:\n<remembered>" in text
        assert result.billed_tokens <= 4_000
        assert result.image_tokens == 0
        assert "98 km/h" not in str(build(memory, **(fields | {"budget": 150})).content)
        assert "98 km/h" not in str(build(memory, "claude", 8_000).content)  # it sees the image


def test_a_long_text_in_an_image_is_cut_to_its_room(tmp_path: Path) -> None:
    options = MemoryOptions(embedder="none", read_images=False)
    long = {"text": "crane bent " * 600, "confidence": 0.9}
    with Memory(tmp_path / "foxing.db", clock=lambda: NOW, options=options) as memory:
        said = [TEXT, image() | {"machine_read": long}]
        memory.store("ana", [{"id": "m", "role": "user", "content": said, "created_at": NOW}])
        memory.seal("ana")
        sizes = [len(str(build(memory, "text", budget).content)) for budget in (600, 1_200, 8_000)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1] < 5_500


@pytest.mark.parametrize(
    ("fields", "read", "expected"),
    [
        ({"reader": "claude"}, READ, "text"),
        ({"reader": "text"}, READ, "text"),
        ({"reader": "claude", "show": "text"}, READ, "text"),
        ({"reader": "claude"}, None, "image"),
        ({"reader": "text"}, None, "label"),
        ({"reader": "claude", "budget": 250}, READ, "label"),
    ],
)
@pytest.mark.parametrize("question", [None, "Which way does the tram go?"])
def test_an_image_of_a_message_given_word_for_word_before_the_last_three(
    tmp_path: Path, fields: dict[str, Any], read: dict[str, Any] | None, expected: str, question: str | None
) -> None:
    options = MemoryOptions(embedder="none", read_images=False)
    with Memory(tmp_path / "foxing.db", clock=lambda: NOW, options=options) as memory:
        said = [TEXT, image() | ({} if read is None else {"machine_read": read})]
        later = [{"role": "user", "content": f"The tram of line {n} goes by."} for n in range(6)]
        memory.store("ana", [{"role": "user", "name": "Mina", "content": said}, *later])
        result = build(memory, **({"budget": 4_000, "query": question} | fields))
        assert result.billed_tokens <= fields.get("budget", 4_000)
        assert "■ image 1, 1000x600 px, crane.jpg" in str(result.content)
        assert len(shown(result)) == (expected == "image")
        assert ("98 km/h" in str(result.content)) == (expected == "text")
