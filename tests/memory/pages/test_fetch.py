"""Fetching messages by the references that page images and texts show."""

import base64
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.operations.backups import made, restored
from support.texts import chat

from foxing.memory import ContextRequest, Forgotten, InvalidInput, Memory, MemoryOptions, NotFound, RecalledMessage
from foxing.renderer.atlas import load_atlas
from foxing.renderer.readers import Readers

BANK = "agent"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = START + timedelta(days=3)
QUESTION = "the garden by the river, at the table, in the summer, with the music of the story"
REFERENCE = re.compile(r"\[([2-9a-z]{2,8})\] (?:user|assistant)")
READERS: dict[str, Any] = {
    "cheap": {
        "title": "Cheap",
        "provider": "anthropic",
        "type": [{"width_px": 8, "height_px": 16, "font": "unifont"}],
        "limits": {"max_side_px": 640, "max_images": 9, "max_image_bytes": 1 << 20, "max_request_bytes": 1 << 22},
        "billing": {"formula": "flat", "per_image": 60},
    }
}


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    """A memory with a reader for which images cost next to nothing."""
    with Memory(database_url, clock=lambda: NOW, options=MemoryOptions(readers=Readers(READERS))) as opened:
        yield opened


def filled(memory: Memory) -> Mapping[str, RecalledMessage]:
    """Stores and seals a conversation, and one message after it; returns id → message."""
    memory.store(BANK, chat(60, START))
    memory.seal(BANK)
    memory.store(BANK, [{"id": "open", "role": "user", "content": "The garden\nby the river again."}])
    return {message.message_id: message for message in memory.export(BANK)}


def written(png: bytes) -> str:
    """The text of an image in Unifont at its native size, read from its pixels."""
    atlas = load_atlas()
    known = {atlas.drawing(chr(point)): chr(point) for point in range(0x7E, 0x1F, -1)}
    ink = np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 128
    rows, columns = ink.shape[0] // 16, ink.shape[1] // 8
    cells = ink.reshape(rows, 16, columns, 8).transpose(0, 2, 1, 3)
    packed = np.packbits(cells, axis=3)[..., 0]
    lines = ["".join(known.get(cell.tobytes(), "�") for cell in row) for row in packed]
    return " ".join(lines)


@pytest.mark.both_databases
def test_the_references_on_page_images_fetch_the_messages(memory: Memory, database_url: str) -> None:
    said = filled(memory)
    recalled = memory.recall_images(BANK, QUESTION, reader="cheap", limit=50)
    shown = re.sub(" +", " ", " ".join(written(base64.b64decode(image.data)) for image in recalled.images))
    refs = list(dict.fromkeys(REFERENCE.findall(shown)))
    by_ref = {message.ref: message for message in said.values()}
    on_pages = {message.ref for message in said.values() if message.page_ids}
    assert set(refs) == on_pages
    fetched = memory.fetch(BANK, refs)
    assert fetched.missing == []
    assert [message.ref for message in fetched.messages] == refs
    assert [message.text for message in fetched.messages] == [by_ref[ref].text for ref in refs]
    again = memory.recall_images(BANK, QUESTION, reader="cheap", limit=50)
    assert [image.data for image in again.images] == [image.data for image in recalled.images]
    with Memory(database_url, clock=lambda: NOW, options=MemoryOptions(readers=Readers(READERS))) as other:
        restarted = other.recall_images(BANK, QUESTION, reader="cheap", limit=50)
    assert [image.data for image in restarted.images] == [image.data for image in recalled.images]


@pytest.mark.both_databases
def test_a_fetched_message_is_complete_and_says_how_sure_it_is(memory: Memory) -> None:
    said = filled(memory)
    for key in ("open", "1-7"):
        [message] = memory.fetch(BANK, f"[{said[key].ref.upper()}]").messages
        assert message == said[key]
        assert (message.kept, message.confidence, message.gaps) == (1.0, 1.0, [])


@pytest.mark.slow
@pytest.mark.both_databases
def test_an_erased_message_is_gone_and_others_are_unknown(memory: Memory) -> None:
    said = filled(memory)
    memory.store("other", [{"role": "user", "content": "Elsewhere.", "created_at": START}])
    [elsewhere] = memory.recall("other").spans
    memory.erase_message(BANK, "1-3")
    memory.erase_message(BANK, "open")
    recalled = memory.recall_images(BANK, QUESTION, reader="cheap", limit=50)
    shown = REFERENCE.findall(" ".join(written(base64.b64decode(image.data)) for image in recalled.images))
    assert said["1-4"].ref in shown
    assert said["1-3"].ref not in shown
    for key in ("1-3", "open"):
        with pytest.raises(Forgotten, match=f"'{said[key].ref}'.*erased"):
            memory.fetch(BANK, said[key].ref)
    for ref in (elsewhere.ref, "zzzzz", "0", "", "no reference"):
        with pytest.raises(NotFound, match="reference"):
            memory.fetch(BANK, ref)
    with pytest.raises(NotFound, match="nobody"):
        memory.fetch("nobody", said["1-4"].ref)
    with pytest.raises(NotFound, match="'zzzzz'"):
        memory.fetch(BANK, [said["1-3"].ref, "zzzzz"])
    found = memory.fetch(BANK, [said["1-3"].ref, "zzzzz", said["1-4"].ref, elsewhere.ref, said["1-4"].ref])
    assert [message.message_id for message in found.messages] == ["1-4"]
    assert [(item.ref, item.reason) for item in found.missing] == [
        (said["1-3"].ref, "erased"),
        ("zzzzz", "unknown"),
        (elsewhere.ref, "unknown"),
    ]
    memory.store(BANK, [{"id": "1-3", "role": "user", "content": "Again.", "created_at": START}])
    assert memory.message(BANK, "1-3").ref != said["1-3"].ref
    with pytest.raises(Forgotten):
        memory.fetch(BANK, said["1-3"].ref)


def test_the_number_of_references_is_limited(memory: Memory) -> None:
    filled(memory)
    for refs in ([], ["k7"] * 101):
        with pytest.raises(InvalidInput, match="1 to 100 references"):
            memory.fetch(BANK, refs)


def test_a_wrong_check_character_is_unknown(memory: Memory) -> None:
    said = filled(memory)
    ref = said["1-5"].ref
    with pytest.raises(NotFound):
        memory.fetch(BANK, ref[:-1] + ("3" if ref[-1] != "3" else "4"))


@pytest.mark.slow
def test_references_outlast_ageing_undo_erasure_of_others_and_backups(tmp_path: Path) -> None:
    clock = [NOW]
    path = tmp_path / "foxing.db"
    with Memory(path, clock=lambda: clock[0]) as memory:
        said = filled(memory)
        memory.erase_message(BANK, "1-3")
        refs = {key: message.ref for key, message in said.items() if key != "1-3"}
        clock[0] += timedelta(days=40)
        memory.seal(BANK)
        memory.age(BANK)
        aged = memory.fetch(BANK, refs["1-8"]).messages[0]
        assert (aged.message_id, aged.tier) == ("1-8", "tiny")
        assert {message.message_id: message.ref for message in memory.export(BANK)} == refs
        memory.undo(BANK)
        assert {message.message_id: message.ref for message in memory.export(BANK)} == refs
    made(path, tmp_path / "copy")
    restored(tmp_path / "restored.db", tmp_path / "copy")
    with Memory(tmp_path / "restored.db", clock=lambda: clock[0]) as memory:
        assert {message.message_id: message.ref for message in memory.export(BANK)} == refs
        assert memory.fetch(BANK, refs["1-8"]).messages[0].message_id == "1-8"
        with pytest.raises(Forgotten):
            memory.fetch(BANK, said["1-3"].ref)


def test_a_history_imported_into_an_empty_database_in_the_same_order_keeps_its_references(tmp_path: Path) -> None:
    refs = []
    for name in ("one.db", "two.db"):
        with Memory(tmp_path / name, clock=lambda: NOW) as memory:
            memory.store(BANK, chat(12, START))
            refs.append([message.ref for message in memory.export(BANK)])
    assert refs[0] == refs[1]


@pytest.mark.slow
def test_text_bears_references_on_request(memory: Memory) -> None:
    said = filled(memory)
    asked = memory.recall(BANK, "the garden by the river again", limit=1, refs=True)
    assert asked.rendered.endswith(f"user: [{said['open'].ref}] The garden\n by the river again.")
    assert "[" not in memory.recall(BANK, "the garden by the river again", limit=1).rendered
    for refs in (True, False):
        request = ContextRequest(reader="text", budget=600, query="the river", refs=refs)
        built = memory.context(BANK, request)
        text = "\n".join(str(block["text"]) for block in built.content)
        names = [f"[{said[key].ref}] " in text for key in built.message_ids]
        assert names == [refs] * len(names)
        assert built.billed_tokens <= 600


def test_fetching_counts_as_a_recall(memory: Memory) -> None:
    said = filled(memory)
    memory.fetch(BANK, [said["1-1"].ref, said["1-2"].ref])
    weights = [memory.message(BANK, key).recall_weight for key in ("1-1", "1-2", "1-4")]
    assert weights == [1.0, 1.0, 0.0]
