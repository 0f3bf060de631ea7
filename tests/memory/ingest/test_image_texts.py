"""Text in images is read by a machine when their page is sealed, and recall finds it."""

import base64
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from support.images import encoded, picture

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import ImagePart, Memory, MemoryOptions
from foxing.memory.check.check import DatabaseCheck
from foxing.renderer.outline import FONT_PATH

pytest.importorskip("tesserocr", reason="tesserocr is not installed")
pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
LINES = ("Deployment failed", "quota exceeded in region Reykjavik", "ticket 48213")


def screenshot(*lines: str) -> bytes:
    shown = Image.new("RGB", (640, 60 + 40 * len(lines)), "white")
    font = ImageFont.truetype(FONT_PATH, 22)
    for row, line in enumerate(lines):
        ImageDraw.Draw(shown).text((30, 30 + 40 * row), line, "black", font)
    return encoded("PNG", shown)


def said(key: str, content: bytes, text: str = "Look at this") -> dict[str, Any]:
    part = {"type": "image", "data": base64.b64encode(content).decode(), "name": f"{key}.png"}
    return {"id": key, "role": "user", "content": [{"type": "text", "text": text}, part], "created_at": NOW}


def image_of(memory: Memory, key: str, bank: str = "ana") -> ImagePart:
    [found] = [part for part in memory.message(bank, key).parts or [] if isinstance(part, ImagePart)]
    return found


def keys(memory: Memory, query: str, bank: str = "ana") -> list[str]:
    return [span.message_id for span in memory.recall(bank, query).spans]


def opened(url: str, **options: Any) -> Memory:
    return Memory(url, clock=lambda: NOW, options=MemoryOptions(**options))


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with opened(database_url, embedder="none") as found:
        for number in range(4):
            filler = {"role": "user", "content": f"Lunch on day {number} was soup", "created_at": NOW}
            found.store("ana", [filler | {"id": f"f{number}"}])
        yield found


@pytest.mark.both_databases
def test_text_in_a_screenshot_is_found_by_its_words(memory: Memory) -> None:
    memory.store("ana", [said("m", screenshot(*LINES))])
    assert image_of(memory, "m").machine_read is None  # not on the way of storing
    assert "m" not in keys(memory, "quota Reykjavik")
    memory.seal("ana")

    read = image_of(memory, "m").machine_read
    assert read is not None
    assert read.text.splitlines() == list(LINES)
    assert 0.8 < read.confidence <= 1
    assert keys(memory, "quota Reykjavik")[0] == "m"
    [span] = [span for span in memory.recall("ana", "quota Reykjavik").spans if span.message_id == "m"]
    [part] = [part for part in span.parts or [] if isinstance(part, ImagePart)]
    assert part.machine_read == read
    assert "Reykjavik" not in span.text  # the text of the message is what was said


@pytest.mark.slow
def test_a_model_sees_the_text_in_an_image_as_read_by_a_machine(memory: Memory) -> None:
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    found = memory.recall("ana", "quota Reykjavik", limit=1)
    assert f"\n Text in image 1, read by machine: {' / '.join(LINES)}" in found.rendered
    assert found.text_tokens == count_text_tokens(found.rendered)
    [span] = found.spans
    assert LINES[0] not in span.text
    bare = memory.recall("ana", "quota Reykjavik", limit=1, max_tokens=found.text_tokens - 1)
    assert LINES[0] not in bare.rendered  # it is the first to go where there is no room
    assert bare.spans[0].message_id == "m"
    for days in (8, 31, 366):
        memory.age("ana", now=NOW + timedelta(days=days))
        assert LINES[0] in memory.recall("ana", "quota Reykjavik", limit=1).rendered


def test_the_rules_of_a_bank_apply_to_the_text_in_an_image(memory: Memory) -> None:
    memory.set_policy("ana", {"redact": ["email"]})
    memory.store("ana", [said("m", screenshot("Write to jane.roe@example.org about Reykjavik"))])
    memory.seal("ana")
    read = image_of(memory, "m").machine_read
    assert read is not None
    assert "jane.roe" not in read.text
    assert "jane.roe" not in memory.recall("ana", "Reykjavik").rendered


@pytest.mark.slow
@pytest.mark.both_databases
def test_the_text_stays_while_the_image_fades(memory: Memory) -> None:
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    before = image_of(memory, "m").machine_read
    check = DatabaseCheck(memory._database, memory._codecs, MemoryOptions(embedder="none").search())
    for days in (8, 31, 366):
        memory.age("ana", now=NOW + timedelta(days=days))
        assert image_of(memory, "m").machine_read == before
        assert keys(memory, "quota Reykjavik")[0] == "m"
        assert check.run().sound


def test_an_erased_image_leaves_no_text(memory: Memory) -> None:
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    memory.erase_message("ana", "m")
    assert "m" not in keys(memory, "quota Reykjavik")
    with memory._database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM images WHERE read_text IS NOT NULL").scalar() == 0


def test_a_dropped_image_takes_its_text_along(memory: Memory) -> None:
    memory.set_policy("ana", {"images": "until:small"})
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    memory.age("ana", now=NOW + timedelta(days=8))
    assert image_of(memory, "m").machine_read is None
    memory.undo("ana", now=NOW + timedelta(days=9))
    assert image_of(memory, "m").machine_read is not None


def test_a_purged_image_leaves_no_text(memory: Memory) -> None:
    memory.set_policy("ana", {"images": "until:small"})
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    for days in (8, 20):
        memory.age("ana", now=NOW + timedelta(days=days))
    with memory._database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM images WHERE read_text IS NOT NULL").scalar() == 0


def test_an_export_takes_the_text_to_another_memory(memory: Memory, tmp_path: Path) -> None:
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    [message] = [message for message in memory.export("ana") if message.message_id == "m"]
    with opened(str(tmp_path / "other.db"), embedder="none", read_images=False) as other:
        parts = [part.model_dump() for part in message.parts or []]
        other.store("ana", [{"id": "m", "role": "user", "content": parts, "created_at": NOW}])
        other.seal("ana")
        assert image_of(other, "m").machine_read == image_of(memory, "m").machine_read
        assert keys(other, "quota Reykjavik") == ["m"]


def test_an_image_is_read_once_a_bank(memory: Memory) -> None:
    memory.store("ana", [said("m", screenshot(*LINES))])
    memory.seal("ana")
    read = image_of(memory, "m").machine_read
    memory.store("ana", [said("n", screenshot(*LINES))])
    memory.seal("ana")
    assert image_of(memory, "n").machine_read == read
    assert {"m", "n"} <= set(keys(memory, "quota Reykjavik"))


def test_words_of_an_image_are_found_by_meaning(tmp_path: Path) -> None:
    with opened(str(tmp_path / "foxing.db")) as memory:
        for number in range(12):
            memory.store("ana", [{"role": "user", "content": f"Chapter {number} of the history of the Baltic sea"}])
        memory.store("ana", [said("m", screenshot("The puppy sleeps in the kitchen", "and the kitten on the sofa"))])
        memory.seal("ana")
        assert keys(memory, "Where do our pets rest?")[:1] == ["m"]
        memory.operations.reindex("ana", words=True)
        assert keys(memory, "Where do our pets rest?")[:1] == ["m"]
        assert keys(memory, "kitten")[:1] == ["m"]


def test_a_photograph_without_text_has_none(memory: Memory) -> None:
    memory.store("ana", [said("m", encoded("JPEG", picture(400, 300)))])
    memory.seal("ana")
    assert image_of(memory, "m").machine_read is None


def test_without_the_option_nothing_is_read(tmp_path: Path) -> None:
    with opened(str(tmp_path / "foxing.db"), embedder="none", read_images=False) as memory:
        memory.store("ana", [said("m", screenshot(*LINES))])
        memory.seal("ana")
        assert image_of(memory, "m").machine_read is None
    with opened(str(tmp_path / "foxing.db"), embedder="none") as memory:  # later, for another message with it
        memory.store("ana", [said("n", screenshot(*LINES))])
        memory.seal("ana")
        assert set(keys(memory, "quota Reykjavik")) == {"m", "n"}


def test_without_the_extra_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tesserocr", None)
    with opened(str(tmp_path / "foxing.db"), embedder="none") as memory:
        memory.store("ana", [said("m", screenshot(*LINES))])
        assert memory.seal("ana").pages
        assert image_of(memory, "m").machine_read is None
