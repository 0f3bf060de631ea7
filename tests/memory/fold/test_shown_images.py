"""The latest images of folded messages, shown smaller."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from support.images import encoded, picture

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import FoldResult, Memory
from foxing.renderer.readers import Readers

from .test_images import block, conversation, fold

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone")

READER = "claude-fable-5"
FILES = [encoded("JPEG", picture(1_280, 800 + n, seed=n), quality=40) for n in range(6)]
BUDGET = 40_000


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as opened:
        yield opened


def shown(result: FoldResult) -> list[tuple[str, bytes]]:
    """Labels and files of the images that are no page images, in order."""
    assert result.folded_at is not None
    content: Any = result.messages[result.folded_at]["content"]
    found: list[tuple[str, bytes]] = []
    label = ""
    for part in content:
        text = part.get("text")
        if text is None and label.endswith(" image 1:"):
            found.append((label, base64.b64decode(_data(part))))
        label = text or ""
    return found


def _data(part: Any) -> str:
    if part["type"] == "image":
        return str(part["source"]["data"])
    url = part["image_url"]
    return str(url if isinstance(url, str) else url["url"]).partition(",")[2]


def size_of(file: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(file)) as image:
        image.load()
        return image.size


@pytest.mark.slow
@pytest.mark.parametrize("reader", [READER, "claude-opus-5", "gpt-5.6-sol"])
@pytest.mark.parametrize("wire", ["anthropic", "openai", "openai-responses"])
def test_the_latest_images_are_shown_where_they_cost_little(memory: Memory, wire: str, reader: str) -> None:
    messages = conversation(wire, *FILES)
    result = fold(memory, messages, wire, reader=reader, budget=BUDGET)
    found = shown(result)
    assert 1 <= len(found) <= 2
    assert result.images >= len(found)
    refs = [label.partition("]")[0][1:] for label, _ in found]
    for ref, (_, file), number in zip(reversed(refs), reversed(found), (5, 4), strict=False):
        [message] = memory.fetch("agent", ref).messages
        assert f"1280x{800 + number} px" in message.text
        assert max(size_of(file)) <= 512
    billing = Readers()[reader].billing
    assert billing is not None
    tokens = sum(billing.tokens(*size_of(file)) + count_text_tokens(label) for label, file in found)
    assert tokens <= 0.02 * BUDGET
    assert result.folded_tokens >= tokens
    assert json.dumps(fold(memory, messages, wire, reader=reader, budget=BUDGET).messages) == json.dumps(
        result.messages
    )


@pytest.mark.parametrize("reader", ["text", "gemini-3.6-flash"])
def test_none_is_shown_to_a_reader_of_text_or_where_size_saves_nothing(memory: Memory, reader: str) -> None:
    result = fold(memory, conversation("openai", *FILES), "openai", reader=reader, budget=BUDGET)
    assert result.fold == 1
    assert not shown(result)


def test_a_later_fold_leaves_what_was_shown(memory: Memory) -> None:
    first = fold(memory, conversation("anthropic", *FILES[:3]), reader=READER, budget=BUDGET)
    later = conversation("anthropic", *FILES[:3], calls=64)
    results = [n for n, message in enumerate(later) if "tool_result" in json.dumps(message)]
    said = later[results[30]]["content"][0]
    said["content"] = [{"type": "text", "text": said["content"]}, block("anthropic", FILES[5], "image/jpeg")]
    second = fold(memory, later, reader=READER, budget=BUDGET)
    assert (first.fold, second.fold) == (1, 2)
    blocks: Any = first.messages[0]["content"]
    assert second.messages[0]["content"][: len(blocks)] == blocks  # type: ignore[index,call-overload]
    assert shown(second)[: len(shown(first))] == shown(first)
    [(_, file)] = shown(second)[len(shown(first)) :]
    assert size_of(file)[0] <= 512
    assert second.images > first.images


def test_an_image_that_was_sent_again_is_shown_once(memory: Memory) -> None:
    result = fold(memory, conversation("anthropic", *[FILES[0]] * 5), reader=READER, budget=BUDGET)
    assert len(shown(result)) == 1


def test_none_is_shown_where_the_request_holds_as_many_as_it_may(memory: Memory) -> None:
    messages = conversation("anthropic", *FILES)
    icon = block("anthropic", encoded("PNG", picture(8, 8)))
    messages[-1]["content"] = [{"type": "text", "text": messages[-1]["content"]}, *[icon] * 92]
    assert not shown(fold(memory, messages, reader=READER, budget=BUDGET))


def test_shown_images_go_with_their_message(memory: Memory) -> None:
    messages = conversation("anthropic", *FILES)
    result = fold(memory, messages, reader=READER, budget=BUDGET)
    label, _ = shown(result)[-1]
    [message] = memory.fetch("agent", label.partition("]")[0][1:]).messages
    memory.erase_message("agent", message.message_id)
    warm = fold(memory, messages, reader=READER, budget=200_000, cache="warm")
    assert warm.fold == 0
