"""Images of folded conversations: remembered once, labelled in the folded part, and given back."""

import base64
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image
from support.conversations import Json, agent_loop, as_chat, as_items
from support.images import encoded, picture

from foxing.memory import FoldRequest, FoldResult, Forgotten, ImagePart, Memory, MemoryOptions, Policy
from foxing.memory.conversation import image_fields
from foxing.memory.fold.images import GivenImage, image_tokens
from foxing.renderer.clock import utc_now
from foxing.renderer.readers import Readers

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone")

BANK = "agent"
WIRES = ["anthropic", "openai", "openai-responses"]
FILES = [
    encoded("PNG", picture(640, 400)),
    encoded("JPEG", picture(320, 200, seed=1)),
    encoded("WEBP", picture(128, 96, seed=2)),
    encoded("GIF", picture(64, 48, seed=3)),
]


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as opened:
        yield opened


def block(wire: str, file: bytes | str, media_type: str = "image/png") -> Json:
    """An image in the format of a provider; `file`: its bytes, or its address."""
    data = base64.b64encode(file).decode() if isinstance(file, bytes) else ""
    url = f"data:{media_type};base64,{data}" if data else file
    if wire == "anthropic":
        source = {"type": "base64", "media_type": media_type, "data": data} if data else {"type": "url", "url": url}
        return {"type": "image", "source": source}
    if wire == "openai":
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "input_image", "image_url": url}


def text_block(wire: str, text: str) -> Json:
    return {"type": "input_text" if wire == "openai-responses" else "text", "text": text}


def conversation(wire: str, *files: bytes | str, calls: int = 40) -> list[Json]:
    """A session whose user shows the first image, and whose tools return the others."""
    messages = agent_loop(calls)
    messages = messages if wire == "anthropic" else as_chat(messages) if wire == "openai" else as_items(messages)
    first, *others = files
    asked = next(message for message in messages if message.get("role") == "user")
    asked["content"] = [text_block(wire, "Look at this."), block(wire, first)]
    results = [message for message in messages if _answers(message)]
    for message, file in zip(results, others, strict=False):
        holder, name = (message["content"][0], "content") if wire == "anthropic" else (message, "content")
        name = "output" if wire == "openai-responses" else name
        holder[name] = [text_block(wire, holder[name]), block(wire, file)]
    return messages


def _answers(message: Json) -> bool:
    content = message.get("content")
    if message.get("role") == "tool" or message.get("type") == "function_call_output":
        return True
    return isinstance(content, list) and content[0].get("type") == "tool_result"


def fold(memory: Memory, messages: list[Json], wire: str = "anthropic", **fields: Any) -> FoldResult:
    given: dict[str, Any] = {"session": "s", "wire": wire, "reader": "text", "budget": 8_000, "cache": "cold"}
    return memory.fold(BANK, FoldRequest(messages=tuple(messages), **(given | fields)))


def folded_text(result: FoldResult) -> str:
    assert result.folded_at is not None
    content: Any = result.messages[result.folded_at]["content"]
    return "\n".join(str(part["text"]) for part in content if "text" in part)


def images_of(memory: Memory) -> list[ImagePart]:
    """The images of all messages, in order."""
    return [part for message in memory.export(BANK) for part in message.parts or [] if isinstance(part, ImagePart)]


def content_of(part: ImagePart) -> bytes:
    assert part.data is not None
    return base64.b64decode(part.data)


def ref_of(text: str, line: str) -> str:
    """The reference of the message in whose lines one is."""
    before = text[: text.index(line)]
    return before.rpartition("\n[")[2].partition("]")[0]


def pixels(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


@pytest.mark.both_databases
@pytest.mark.parametrize("wire", WIRES)
def test_images_are_stored_with_their_messages_and_labelled_in_the_folded_part(memory: Memory, wire: str) -> None:
    messages = conversation(wire, *FILES)
    result = fold(memory, messages, wire)
    assert result.fold == 1
    text = folded_text(result)
    for label in ("640x400", "320x200", "128x96", "64x48"):
        assert f"■ image 1, {label} px" in text
    assert "base64" not in json.dumps(result.messages[: (result.folded_at or 0) + 1])
    stored = images_of(memory)
    assert [pixels(content_of(part)) for part in stored] == [pixels(file) for file in FILES]
    for label, file in zip(("640x400", "320x200"), FILES, strict=False):
        [message] = memory.fetch(BANK, ref_of(text, f"{label} px")).messages
        [part] = [part for part in message.parts or [] if isinstance(part, ImagePart)]
        assert content_of(part) == file
    roles = [message.role for message in memory.export(BANK) if any(p.type == "image" for p in message.parts or [])]
    assert roles == ["user", "tool", "tool", "tool"]
    assert any("4 images" in note for note in result.notes)


@pytest.mark.slow
@pytest.mark.parametrize("wire", WIRES)
def test_the_same_bytes_at_every_call_after_a_restart_and_from_a_replica(database_url: str, wire: str) -> None:
    messages, later = conversation(wire, *FILES), conversation(wire, *FILES, calls=44)
    with Memory(database_url) as memory:
        first = fold(memory, messages, wire)
        stored = memory.bank(BANK).messages
        assert json.dumps(fold(memory, messages, wire).messages) == json.dumps(first.messages)
    end = (first.folded_at or 0) + 1
    with Memory(database_url) as one, Memory(database_url, clock=lambda: utc_now() + timedelta(days=7)) as two:
        for other in (one, two):
            assert json.dumps(fold(other, messages, wire).messages) == json.dumps(first.messages)
            after = fold(other, later, wire, cache="warm", budget=60_000)
            assert json.dumps(after.messages[:end]) == json.dumps(first.messages[:end])
        assert one.bank(BANK).messages == stored
        assert len(images_of(one)) == len(FILES)


@pytest.mark.slow
def test_an_image_that_is_sent_again_is_stored_once(memory: Memory) -> None:
    messages = conversation("anthropic", *[FILES[0]] * 6)
    assert fold(memory, messages).fold == 1
    assert len(images_of(memory)) == 6
    other = conversation("anthropic", *[FILES[0]] * 6, calls=64)
    assert fold(memory, other, budget=20_000).fold == 2
    assert memory.bank(BANK).bytes.images < 1.2 * len(FILES[0])


@pytest.mark.slow
@pytest.mark.parametrize("wire", WIRES)
def test_what_cannot_be_kept_says_so_and_loses_nothing_else(memory: Memory, wire: str) -> None:
    damaged = bytearray(FILES[0])
    damaged[len(damaged) // 2] ^= 0xFF
    undecodable = FILES[1][:600] + FILES[1][-2:]  # the segments of a JPEG, and hardly any of its pixels
    files = [
        b"no image",
        bytes(damaged),
        FILES[0] + bytes(11 << 20),
        undecodable,
        "https://example.com/a.png",
        FILES[2],
    ]
    result = fold(memory, conversation(wire, *files), wire)
    text = folded_text(result)
    assert text.count("[image, not remembered: ") == 4
    assert "[image, not remembered: the data are not a PNG, JPEG, WebP or GIF image]" in text
    assert "[image, not remembered: the image is damaged: a checksum is wrong]" in text
    assert "■ image 1, <https://example.com/a.png>" in text
    assert "■ image 1, 128x96 px" in text
    assert "Look at this." in text
    assert memory.bank(BANK).messages == result.folded
    again = fold(memory, conversation(wire, *files), wire)
    assert json.dumps(again.messages) == json.dumps(result.messages)
    other = fold(memory, conversation(wire, *files), wire, reader="gemini-3.6-flash")  # its own fold, known messages
    assert other.fold == 1
    assert memory.bank(BANK).messages == result.folded


def test_files_of_the_provider_and_addresses_that_cannot_be_kept(memory: Memory) -> None:
    messages = conversation("openai-responses", FILES[0])
    messages[0]["content"] += [
        {"type": "input_image", "file_id": "file-abc"},
        {"type": "input_image", "image_url": f"https://example.com/{'a' * 3_000}"},
        {"type": "input_image"},
    ]
    text = folded_text(fold(memory, messages, "openai-responses"))
    assert "■ image 2, <file:file-abc>" in text
    assert text.count("[image, not remembered: neither its data nor an address that can be kept is given]") == 1


def test_more_images_than_a_message_may_have(memory: Memory) -> None:
    messages = conversation("anthropic", FILES[3])
    messages[0]["content"] += [block("anthropic", FILES[3])] * 110
    fold(memory, messages, budget=60_000)
    found = images_of(memory)
    assert len(found) == 100


def test_screenshots_of_a_computer(memory: Memory) -> None:
    messages = as_items(agent_loop(40))
    call = {"type": "computer_call", "call_id": "c", "action": {"type": "screenshot"}, "status": "completed"}
    screenshot = {"type": "computer_screenshot", "image_url": block("openai-responses", FILES[0])["image_url"]}
    answer = {"type": "computer_call_output", "call_id": "c", "output": screenshot}
    messages[1:1] = [call, answer]
    text = folded_text(fold(memory, messages, "openai-responses"))
    assert "■ image 1, 640x400 px" in text
    assert [content_of(part) for part in images_of(memory)] == [FILES[0]]


def test_nothing_is_decoded_before_a_message_is_folded(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("an image was read")

    with monkeypatch.context() as patch:
        patch.setattr("foxing.memory.images.files.ImageFile.read", refuse)
        assert fold(memory, conversation("anthropic", *FILES), cache="warm", budget=60_000).fold == 0
    assert fold(memory, conversation("anthropic", *FILES)).fold == 1


@pytest.mark.parametrize("file", FILES, ids=["png", "jpeg", "webp", "gif"])
@pytest.mark.parametrize("wire", WIRES)
def test_images_are_counted_as_the_reader_bills_them(memory: Memory, wire: str, file: bytes) -> None:
    result = fold(memory, conversation(wire, file, calls=4), wire, reader="claude-fable-5", budget=100_000)
    small = encoded("PNG", picture(28, 28))
    other = fold(memory, conversation(wire, small, calls=4), wire, reader="claude-fable-5", budget=100_000)
    billing = Readers()["claude-fable-5"].billing
    with Image.open(io.BytesIO(file)) as image:
        assert billing is not None
        expected = billing.tokens(*image.size) - 1
    # the labels differ in a few digits
    assert abs(result.unfolded_tokens - other.unfolded_tokens - expected) <= 6


@pytest.mark.parametrize(
    "options",
    [{"format": "PNG"}, {"format": "JPEG", "exif": True}, {"format": "WEBP"}, {"format": "WEBP", "lossless": True}],
)
def test_sizes_are_read_from_the_header(options: Json) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "x" * 30_000
    picture(333, 77).save(file, **options | ({"exif": exif.tobytes()} if options.pop("exif", False) else {}))
    for wire in WIRES:
        given = GivenImage.of(image_fields(block(wire, file.getvalue())) or {})
        assert given.size == (333, 77)
        assert image_tokens([given], None) == 12 * 3
    assert GivenImage.of(image_fields(block("anthropic", file.getvalue()[:12])) or {}).size is None
    assert image_tokens([GivenImage.of({"type": "image", "url": "https://example.com/a.png"})], None) == 1_600


def test_an_erased_message_takes_its_image_along(memory: Memory) -> None:
    text = folded_text(fold(memory, conversation("anthropic", *FILES)))
    ref = ref_of(text, "640x400 px")
    [message] = memory.fetch(BANK, ref).messages
    memory.erase_message(BANK, message.message_id)
    assert len(images_of(memory)) == 3
    with pytest.raises(Forgotten):
        memory.fetch(BANK, ref)
    memory.erase_thread(BANK, "s")
    assert not images_of(memory)
    assert memory.bank(BANK).bytes.images == 0


def test_a_policy_that_keeps_no_images_leaves_their_labels(memory: Memory) -> None:
    memory.set_policy(BANK, Policy.model_validate({"images": "never"}))
    text = folded_text(fold(memory, conversation("anthropic", *FILES)))
    assert "■ image 1, 640x400 px" in text
    assert all(part.data is None for part in images_of(memory))


def test_what_a_machine_has_read_in_an_image_stands_below_its_label(database_url: str) -> None:
    read = {"text": "Wind 98 km/h", "confidence": 0.91}
    image = {"type": "image", "data": base64.b64encode(FILES[0]).decode(), "machine_read": read}
    with Memory(database_url, options=MemoryOptions(read_images=False)) as memory:
        memory.store(BANK, [{"role": "user", "content": [image]}])
        text = folded_text(fold(memory, conversation("anthropic", *FILES)))
    assert "■ image 1, 640x400 px\n Text in image 1, read by machine: Wind 98 km/h" in text


def test_labels_outlast_what_tools_have_returned(memory: Memory) -> None:
    messages = conversation("anthropic", *[encoded("PNG", picture(40 + n, 30, seed=n)) for n in range(16)], calls=80)
    text = folded_text(fold(memory, messages, budget=9_000))
    assert sum(f"■ image 1, {40 + n}x30 px" in text for n in range(16)) >= 15
    assert "…" in text
