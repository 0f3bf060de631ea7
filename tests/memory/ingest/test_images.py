"""Images in messages: stored, sealed, recalled, exported, erased."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from support.images import bomb, encoded, picture, pixels_of

from foxing.memory import Conflict, DatabaseOptions, ImagePart, InvalidInput, Memory, MemoryOptions, TextPart
from foxing.memory.check.check import CheckOptions, DatabaseCheck
from foxing.memory.ingest.importers import import_file
from foxing.memory.pages.message_images import MessageImages
from foxing.memory.storage import schema
from foxing.memory.storage.backup.backup import back_up

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
SAID = {"type": "text", "text": "The Titan dashboard after the outage:"}
PNG, OTHER = encoded("PNG"), encoded("JPEG", picture(seed=1))


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def image(content: bytes = PNG, **fields: Any) -> dict[str, Any]:
    return {"type": "image", "data": base64_of(content), **fields}


def message(content: Any, key: str = "m", **fields: Any) -> dict[str, Any]:
    return {"id": key, "role": "user", "content": content, "created_at": NOW, **fields}


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        yield opened


def stored(memory: Memory) -> tuple[int, int]:
    """Numbers of images and of their places in messages."""
    with memory._database.read() as connection:
        tables = (schema.images, schema.image_places)
        images, places = (connection.scalar(select(func.count()).select_from(table)) for table in tables)
        return int(images or 0), int(places or 0)


def image_of(memory: Memory, key: str = "m") -> ImagePart:
    parts = memory.message("ana", key).parts or []
    [found] = [part for part in parts if isinstance(part, ImagePart)]
    return found


def content_of(part: ImagePart) -> bytes:
    assert part.data is not None
    return base64.b64decode(part.data)


@pytest.mark.parametrize("sealed", [False, True])
def test_an_image_comes_back_as_it_came(memory: Memory, sealed: bool) -> None:
    memory.store("ana", [message([SAID, image(name="dashboard.png", alt="Errors per minute")])])
    if sealed:
        memory.seal("ana")
    for found in (memory.message("ana", "m"), memory.recall("ana", "Titan").spans[0]):
        assert found.text == f'{SAID["text"]}\n■ image 1, 64x48 px, dashboard.png: "Errors per minute"'
        said, part = found.parts or []
        assert said == TextPart(text=str(SAID["text"]))
        assert isinstance(part, ImagePart)
        assert content_of(part) == PNG
        assert (part.media_type, part.width, part.height) == ("image/png", 64, 48)
        assert part.tier == ("base" if sealed else None)
        assert (part.name, part.alt) == ("dashboard.png", "Errors per minute")
        assert part.original is not None
        assert part.original.bytes == len(PNG)
    ref = memory.message("ana", "m").ref
    [fetched] = memory.fetch("ana", ref).messages
    assert fetched.parts == memory.message("ana", "m").parts
    assert next(iter(memory.export("ana"))).parts == fetched.parts


DATA_URL = f"data:image/png;base64,{base64_of(PNG)}"
SHAPES: dict[str, dict[str, Any]] = {
    "bytes": {"type": "image", "data": PNG},
    "data URL": {"type": "image", "url": DATA_URL},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64_of(PNG)}},
    "openai chat": {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "high"}},
    "openai responses": {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
    "gemini": {"inlineData": {"mimeType": "image/png", "data": base64_of(PNG)}},
    "gemini in snake case": {"inline_data": {"mime_type": "image/png", "data": base64_of(PNG)}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_providers_are_images(memory: Memory, shape: str) -> None:
    memory.store("ana", [message([SAID, SHAPES[shape]])])
    assert content_of(image_of(memory)) == PNG


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "url": "https://x.test/a.png?size=2"},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png?size=2"}},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png?size=2"}},
        {"type": "input_image", "image_url": "https://x.test/a.png?size=2"},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png?size=2"}},
    ],
)
def test_a_url_is_kept_as_text(memory: Memory, part: dict[str, Any]) -> None:
    memory.store("ana", [message([SAID, part])])
    memory.seal("ana")
    assert memory.message("ana", "m").text.endswith("\n■ image 1, <https://x.test/a.png?size=2>")
    assert (image_of(memory).url, image_of(memory).data) == ("https://x.test/a.png?size=2", None)
    assert stored(memory) == (0, 0)


def test_an_image_is_found_by_its_name_and_what_it_shows(memory: Memory) -> None:
    memory.store("ana", [message([image(name="floorplan.png", alt="the kitchen of the Lisbon flat")])])
    memory.store("ana", [message("nothing of the kind", "n"), message([image(OTHER)], "o")])
    for words in ("floorplan", "Lisbon kitchen"):
        assert memory.recall("ana", words, limit=1).spans[0].message_id == "m", words


def test_the_same_image_is_stored_once_a_bank(memory: Memory) -> None:
    memory.store("ana", [message([image(), image(OTHER)]), message([image()], "n")])
    assert memory.store("ana", [message([image(), image(OTHER)])]).duplicates == 1
    assert stored(memory) == (2, 3)
    memory.store("ben", [message([image()])])
    assert stored(memory) == (3, 4)
    with pytest.raises(Conflict):
        memory.store("ana", [message([image(OTHER), image()])])


def test_erasing_the_last_message_of_an_image_erases_it(memory: Memory) -> None:
    memory.store("ana", [message([SAID, image()]), message([image(), image(OTHER)], "n"), message("text", "o")])
    memory.seal("ana")
    memory.erase_message("ana", "m")
    assert stored(memory) == (2, 2)
    assert memory.message("ana", "n").parts is not None
    memory.erase_thread("ana", "main")
    assert stored(memory) == (0, 0)
    memory.store("ana", [message([image()], "p")])
    memory.erase_bank("ana")
    assert stored(memory) == (0, 0)


def test_bytes_are_reported(memory: Memory) -> None:
    memory.store("ana", [message([image(), image(OTHER)]), message([image()], "n")])
    found = memory.bank("ana").bytes
    assert len(PNG) + len(OTHER) <= found.images < len(PNG) + len(OTHER) + 600
    assert found.total == sum(value for name, value in found if name != "total")


def test_a_policy_may_never_keep_images(memory: Memory) -> None:
    memory.set_policy("ana", {"images": "never"})
    memory.store("ana", [message([SAID, image(name="dashboard.png")])])
    assert stored(memory) == (0, 0)
    assert memory.message("ana", "m").text.endswith("■ image 1, 64x48 px, dashboard.png")
    assert image_of(memory).data is None


def test_exported_images_can_be_stored_again(memory: Memory) -> None:
    memory.store("ana", [message([SAID, image(name="a b.png")])])
    [found] = memory.export("ana")
    again = found.model_dump(mode="json")
    memory.store("ben", [message(again["parts"])])
    assert memory.message("ben", "m").parts == found.parts
    assert memory.message("ben", "m").text == found.text


@pytest.mark.slow
def test_gaps_do_not_lose_an_image(memory: Memory) -> None:
    said = (Path(__file__).parents[3] / "docs" / "explanation" / "concepts.md").read_text()[:9_000]
    memory.store("ana", [message([{"type": "text", "text": said}, image(name="agenda.png")])])
    memory.seal("ana")
    memory.age("ana", now=NOW + timedelta(days=400))
    found = memory.message("ana", "m")
    assert found.gaps
    assert pixels_of(content_of(image_of(memory))).size == (64, 48)


def test_an_answer_has_room_for_so_many_bytes(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.store("ana", [message([image()]), message([image(OTHER)], "n")])
    monkeypatch.setattr(MessageImages, "max_bytes", len(PNG))
    given = [part for span in memory.recall("ana").spans for part in span.parts or []]
    assert [part.data is None for part in given if isinstance(part, ImagePart)] == [False, True]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"type": "image"}, "an image needs data in Base64, or a url"),
        ({"type": "image", "data": "no!"}, "not Base64"),
        ({"type": "image", "url": "data:,x"}, "not Base64"),
        ({"type": "image_url", "image_url": {"url": "data:text/html;base64,AAAA"}}, "not Base64"),
        (image(b"<svg/>"), "not a PNG, JPEG, WebP or GIF"),
        (image(PNG, media_type="image/jpeg"), "the image is image/png, not image/jpeg"),
        (image(PNG[:300] + bytes(len(PNG) - 320) + PNG[-20:]), "cannot be decoded|damaged"),
        (image(bomb()), "at most 40 million are kept"),
        ({"type": "image", "url": "https://x.test/a b.png"}, "url: String should match pattern"),
    ],
)
def test_what_is_no_image_is_refused(memory: Memory, part: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"messages\[1\]: .*{reason}"):
        memory.store("ana", [message("good"), message([part], "n")])
    assert memory.banks().banks == []


def test_a_backup_holds_images(tmp_path: Path) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        memory.store("ana", [message([SAID, image()])])
        back_up(memory._database, tmp_path / "copy.db")
        memory.erase_bank("ana")
    with Memory(tmp_path / "copy.db") as memory:
        assert pixels_of(content_of(image_of(memory))).size == (64, 48)


@pytest.mark.both_databases
def test_images_may_be_in_object_storage(database_url: str, tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    options = DatabaseOptions(database_url, blobs_url=blobs.as_uri(), blobs_min_bytes=1_000)
    with Memory(options) as memory:
        memory.store("ana", [message([image(), image(OTHER)]), message([image()], "n")])
        memory.store("ana", [message([image(OTHER)], "o")])
        assert len([path for path in blobs.rglob("*") if path.is_file()]) == 2
        assert content_of(image_of(memory, "n")) == PNG
        assert len(PNG) + len(OTHER) <= memory.bank("ana").bytes.images < len(PNG) + len(OTHER) + 700
        report = DatabaseCheck(memory._database, memory._codecs, MemoryOptions().search()).run()
        assert report.problems == 0
        for key in "mno":
            memory.erase_message("ana", key)
        assert [path for path in blobs.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("damage", "problem", "repaired"),
    [
        ("UPDATE images SET content = x'00' WHERE id = 1", "is damaged", False),
        ("UPDATE images SET width = 9 WHERE id = 1", "another size", False),
        ("DELETE FROM image_places WHERE image_id = 1", "1 images of bank ana belong to no message", True),
        ("UPDATE image_places SET message_id = 77 WHERE image_id = 1", "1 messages with images", True),
    ],
)
def test_damaged_images_are_found(tmp_path: Path, damage: str, problem: str, repaired: bool) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        memory.store("ana", [message([image()]), message([image(OTHER)], "n")])
        with memory._database.write() as connection:
            connection.execute(text(damage))
        check = DatabaseCheck(memory._database, memory._codecs, MemoryOptions().search())
        [found] = [part for part in check.run(CheckOptions(repair=True)).parts if part.name == "images"]
        assert problem in found.examples[0]
        assert found.repaired == repaired
        [after] = [part for part in check.run().parts if part.name == "images"]
        assert after.problems == (0 if repaired else 1)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "no image.png"])
def test_an_image_file_is_imported_as_a_message(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PNG[:-8] if name.startswith("no") else PNG)
    with Memory(tmp_path / "foxing.db") as memory:
        if name.startswith("no"):
            with pytest.raises(InvalidInput, match="images that cannot be kept"):
                import_file(memory, path, bank="ana")
            return
        assert import_file(memory, path, bank="ana").messages == 1
        assert import_file(memory, path, bank="ana").stored == 0
        [found] = memory.recall("ana", "photo").spans
        assert found.text == f"■ image 1, 64x48 px, {name}"
        assert content_of(image_of(memory, found.message_id)) == PNG


def test_images_of_imported_messages_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    content = [SAID, SHAPES["anthropic"], {"type": "video"}]
    path.write_text(json.dumps([{"role": "user", "content": content, "id": "m"}]))
    with Memory(tmp_path / "foxing.db") as memory:
        import_file(memory, path, bank="ana")
        [found] = memory.export("ana")
        assert [type(part) for part in found.parts or []] == [TextPart, ImagePart, TextPart]
        assert content_of(image_of(memory, found.message_id)) == PNG
