"""Images fade with the pages of their messages, and come back with undo."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import func, select
from support.images import encoded, picture, pixels_of

from foxing.memory import DatabaseOptions, ImagePart, InvalidPolicy, Memory, MemoryOptions, Policy
from foxing.memory.check.check import DatabaseCheck
from foxing.memory.images.decoding import scaled
from foxing.memory.images.files import ImageFile
from foxing.memory.storage import schema
from foxing.renderer.outline import FONT_PATH

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
PHOTO = encoded("JPEG", picture(1_000, 600), quality=90)
STEPS = {"small": 8, "tiny": 31, "micro": 366}  # days


def image(content: bytes = PHOTO, **fields: Any) -> dict[str, Any]:
    return {"type": "image", "data": base64.b64encode(content).decode(), **fields}


def said(key: str, *parts: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "text", "text": f"What the crane at pier {key} looked like on Tuesday"}
    return {"id": key, "role": "user", "content": [text, *parts], "created_at": NOW}


def held(memory: Memory, key: str = "m") -> ImagePart:
    [found] = [part for part in memory.message("ana", key).parts or [] if isinstance(part, ImagePart)]
    return found


def sides(memory: Memory, key: str = "m") -> tuple[str | None, int | None]:
    """Tier and longer side of an image; None if it was dropped."""
    part = held(memory, key)
    if part.data is None:
        return part.tier, None
    content = base64.b64decode(part.data)
    assert pixels_of(content).size == (part.width, part.height)
    return part.tier, max(pixels_of(content).size)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW, options=MemoryOptions(embedder="none")) as opened:
        yield opened


def age(memory: Memory, tier: str) -> None:
    memory.age("ana", now=NOW + timedelta(days=STEPS[tier]))


@pytest.mark.slow
@pytest.mark.both_databases
def test_an_image_gets_smaller_with_its_page(memory: Memory) -> None:
    memory.store("ana", [said("m", image(name="crane.jpg", alt="A crane"))])
    assert sides(memory) == (None, 1_000)
    memory.seal("ana")
    assert sides(memory) == ("base", 1_000)
    assert base64.b64decode(held(memory).data or "") == PHOTO
    sizes = [memory.bank("ana").bytes.images]
    for tier, side in (("small", 768), ("tiny", 256), ("micro", 64)):
        age(memory, tier)
        assert sides(memory) == (tier, side)
        sizes.append(memory.bank("ana").bytes.images)
    assert sizes == sorted(sizes, reverse=True)
    part = held(memory)
    assert part.original is not None
    assert (part.original.width, part.original.height, part.original.bytes) == (1_000, 600, len(PHOTO))
    assert "crane.jpg" in memory.message("ana", "m").text


@pytest.mark.both_databases
def test_undo_brings_the_sharper_image_back(memory: Memory) -> None:
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    age(memory, "small")
    age(memory, "tiny")
    assert memory.bank("ana").bytes.trash > 0
    memory.undo("ana", now=NOW + timedelta(days=32))
    assert sides(memory) == ("small", 768)  # the window of the step before has passed
    age(memory, "micro")  # pinned
    assert sides(memory) == ("small", 768)


def test_undo_of_all_steps_brings_back_what_came(memory: Memory) -> None:
    memory.set_policy("ana", Policy(undo_window=timedelta(days=500)))
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    for tier in STEPS:
        age(memory, tier)
    memory.undo("ana", now=NOW + timedelta(days=367))
    assert base64.b64decode(held(memory).data or "") == PHOTO
    with memory._database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.image_trash)) == 0


def test_dropped_files_are_purged(memory: Memory) -> None:
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    age(memory, "small")
    assert memory.bank("ana").bytes.trash > len(PHOTO)
    memory.age("ana", now=NOW + timedelta(days=16))
    assert memory.bank("ana").bytes.trash == 0


@pytest.mark.slow
def test_an_image_is_as_sharp_as_its_sharpest_page(memory: Memory) -> None:
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    memory.store("ana", [said("n", image())])
    age(memory, "small")
    assert sides(memory) == (None, 1_000)  # a message with it is open
    memory.seal("ana")
    memory.pin("ana", memory.message("ana", "n").page_ids[0])
    age(memory, "tiny")
    assert sides(memory) == ("base", 1_000)
    memory.pin("ana", memory.message("ana", "n").page_ids[0], pinned=False)
    age(memory, "micro")
    assert sides(memory) == ("micro", 64)


def test_a_faded_image_that_comes_again_is_sharp(memory: Memory) -> None:
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    age(memory, "tiny")
    memory.store("ana", [said("n", image())])
    assert sides(memory) == sides(memory, "n") == (None, 1_000)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("keep", [(None, 1_000)] * 3),
        ("until:tiny", [("small", 768), ("tiny", None), ("tiny", None)]),
        ("fade", [("small", 768), ("tiny", 256), ("micro", 64)]),
    ],
)
@pytest.mark.slow
def test_a_policy_keeps_or_drops_images(memory: Memory, rule: str, expected: list[Any]) -> None:
    memory.set_policy("ana", {"images": rule})
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    found = []
    for tier in STEPS:
        age(memory, tier)
        found.append(sides(memory))
    assert found == expected
    if rule == "until:tiny":
        memory.undo("ana", now=NOW + timedelta(days=367))
        assert held(memory).data is None  # purged


def test_undo_brings_a_dropped_image_back(memory: Memory) -> None:
    memory.set_policy("ana", {"images": "until:small"})
    memory.store("ana", [said("m", image())])
    memory.seal("ana")
    age(memory, "small")
    assert sides(memory) == ("small", None)
    memory.undo("ana", now=NOW + timedelta(days=9))
    assert sides(memory) == ("base", 1_000)


@pytest.mark.slow
def test_a_policy_says_how_large_an_image_may_be(memory: Memory) -> None:
    memory.set_policy("ana", {"image_side_px": 400})
    memory.store("ana", [said("m", image())])
    assert sides(memory) == (None, 1_000)
    memory.seal("ana")
    assert sides(memory) == ("base", 400)
    age(memory, "small")
    assert sides(memory) == ("small", 400)


@pytest.mark.parametrize("rule", ["sometimes", "until:nano", "until"])
def test_an_unknown_rule_is_refused(memory: Memory, rule: str) -> None:
    with pytest.raises(InvalidPolicy, match="images must be"):
        memory.set_policy("ana", {"images": rule})


@pytest.mark.slow
@pytest.mark.both_databases
def test_faded_images_in_object_storage(database_url: str, tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    options = DatabaseOptions(database_url, blobs_url=blobs.as_uri(), blobs_min_bytes=5_000)
    with Memory(options, clock=lambda: NOW, options=MemoryOptions(embedder="none")) as memory:
        memory.store("ana", [said("m", image())])
        memory.seal("ana")
        age(memory, "small")
        assert sides(memory) == ("small", 768)
        check = DatabaseCheck(memory._database, memory._codecs, MemoryOptions(embedder="none").search())
        assert check.run().sound
        memory.undo("ana", now=NOW + timedelta(days=9))
        assert base64.b64decode(held(memory).data or "") == PHOTO
        assert check.run().sound
        memory.erase_message("ana", "m")
        assert [path for path in blobs.rglob("*") if path.is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["tiny", "micro"])
@pytest.mark.parametrize("kind", ["log", "photograph"])
def test_an_image_that_skips_a_tier_is_no_larger_than_it_would_be_there(memory: Memory, kind: str, tier: str) -> None:
    content = PHOTO if kind == "photograph" else encoded("PNG", log())
    found = {}
    for target in ("small", tier):
        memory.set_policy("ana", {"steps": [{"after": "P7D", "tier": target}], "age_from": "message"})
        memory.store("ana", [said(target, image(content))])
        memory.seal("ana")
        memory.age("ana", now=NOW + timedelta(days=8))
        found[target] = held(memory, target)
        memory.erase_message("ana", target)
    sizes = {name: len(base64.b64decode(part.data or "")) for name, part in found.items()}
    assert sizes[tier] <= sizes["small"]
    if sizes[tier] == sizes["small"]:  # then with all that is seen there
        assert found[tier].data == found["small"].data
    assert found[tier].tier == tier


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(30, 20), (900, 300), (3, 1_500)])
def test_a_scaled_image_is_never_larger(kind: str, size: tuple[int, int]) -> None:
    file = ImageFile.read(encoded(kind, picture(*size)))
    for side in (1_568, 768, 256, 64):
        small = scaled(file, side)
        assert len(small.content) <= len(file.content)
        assert max(small.width_px, small.height_px) == min(side, max(file.width_px, file.height_px))
        assert pixels_of(small.content).size == (small.width_px, small.height_px)
        file = small


@pytest.mark.slow
def test_the_label_of_an_image_and_a_table_stay_whole_or_fade_whole(memory: Memory) -> None:
    rows = [f"| pier {n} | crane {n} of {7 * n} t | {'bent' if n % 2 else 'sound'} |" for n in range(1, 40)]
    concepts = (Path(__file__).parents[3] / "docs" / "explanation" / "concepts.md").read_text()
    filler = "\n".join(line for line in concepts.splitlines() if line[:1].isalpha())[:9_000]
    text = {"type": "text", "text": f"{filler}\n" + "\n".join(rows)}
    message = {"id": "m", "role": "assistant", "content": [text, image(name="crane.jpg", alt="A bent crane")]}
    memory.store("ana", [message | {"created_at": NOW}])
    memory.store("ana", [said("n", image(name="pier.jpg"))])
    memory.seal("ana")
    for tier in STEPS:
        age(memory, tier)
        for key in "mn":
            found = memory.message("ana", key).text
            for number, row in enumerate(rows, 1):
                shown = f"| pier {number} |" in found or f"crane {number} of" in found
                assert shown == (row in found), (tier, row)
        assert '■ image 1, 1000x600 px, crane.jpg: "A bent crane"' in memory.message("ana", "m").text
        assert "■ image 1, 1000x600 px, pier.jpg" in memory.message("ana", "n").text


def test_a_flat_screenshot_is_not_larger_when_it_is_scaled() -> None:
    flat = Image.new("RGB", (1_920, 1_080), "white")
    draw = ImageDraw.Draw(flat)
    for row in range(40, 1_040, 24):
        draw.text((40, row), f"{row} lines of a log, none of which matter " * 3, "black")
    file = ImageFile.read(encoded("PNG", flat))
    sharp = scaled(file, 1_568, as_it_came=True)
    assert len(sharp.content) <= len(file.content)
    assert (sharp == file) == (sharp.width_px == 1_920)


def log() -> Image.Image:
    """Returns a window of the same line again and again, whose type takes more bytes blurred than exactly."""
    shown = Image.new("RGB", (1_000, 700), "white")
    font = ImageFont.truetype(FONT_PATH, 14)
    for row in range(28):
        ImageDraw.Draw(shown).text((20, 10 + 24 * row), "the crane waits for the tide " * 4, (20, 20, 30), font)
    return shown


def screenshot(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Returns a window of text like that of a log."""
    shown = Image.new(mode, (width, height), "white")
    draw = ImageDraw.Draw(shown)
    draw.rectangle((0, 0, width, 40), fill=(70, 90, 160))
    font = ImageFont.truetype(FONT_PATH, 14)
    for row in range(50, height - 20, 24):
        draw.text((40, row), f"{row} orders failed in the harbour of Lisbon before noon", (20, 20, 30), font)
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_screenshot_stays_legible_down_to_small(memory: Memory, mode: str) -> None:
    shown = screenshot(1_920, 1_080, mode)
    memory.store("ana", [said("m", image(encoded("PNG", shown)))])
    memory.seal("ana")
    at_base = memory.bank("ana").bytes.images
    age(memory, "small")
    assert sides(memory) == ("small", 1_920)
    assert memory.bank("ana").bytes.images <= at_base
    kept = pixels_of(base64.b64decode(held(memory).data or ""))
    difference = np.asarray(kept.convert("L"), int) - np.asarray(shown.convert("L"), int)
    assert np.abs(difference).max() <= 16  # 32 colours
    age(memory, "tiny")
    assert sides(memory) == ("tiny", 256)


@pytest.mark.slow
def test_a_policy_of_small_images_has_small_screenshots(memory: Memory) -> None:
    memory.set_policy("ana", {"image_side_px": 400})
    memory.store("ana", [said("m", image(encoded("PNG", screenshot(1_280, 800))))])
    memory.seal("ana")
    age(memory, "small")
    assert sides(memory) == ("small", 400)
