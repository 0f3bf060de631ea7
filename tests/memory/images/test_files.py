"""Files of images: what is kept of them, and what is refused."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from threading import Thread

import pytest
from PIL import Image
from PIL.ImageFile import ImageFile as DecodableFile
from support.images import bomb, encoded, jpeg_of_scans, many_frames, picture, pixels_of, png_of, polyglot

from foxing.memory.images import decoding
from foxing.memory.images.decoding import normalised, opened
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from tests.support.waiting import wait_until

SECRET = "Hunter's lodge"


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010E] = orientation, SECRET
    return found


@pytest.mark.parametrize(
    ("kind", "options", "media_type"),
    [
        ("PNG", {}, "image/png"),
        ("JPEG", {"comment": SECRET.encode()}, "image/jpeg"),
        ("JPEG", {"progressive": True}, "image/jpeg"),
        ("WEBP", {}, "image/webp"),
        ("WEBP", {"lossless": True}, "image/webp"),
    ],
)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_stand_upright_without_their_metadata(
    kind: str, options: dict[str, object], media_type: str, orientation: int
) -> None:
    content = encoded(kind, picture(), exif=exif(orientation), **options)
    assert SECRET.encode() in content

    file = ImageFile.read(content)
    kept = normalised(file)

    assert SECRET.encode() not in kept.content
    assert file.media_type == media_type
    assert (file.width_px, file.height_px) == (kept.width_px, kept.height_px) == pixels_of(kept.content).size
    assert pixels_of(kept.content).size == ((64, 48) if orientation < 5 else (48, 64))
    if orientation == 1:  # not encoded again
        assert kept.content == file.content
        assert pixels_of(kept.content).tobytes() == pixels_of(content).tobytes()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    frames = [picture(seed=number) for number in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(kind, frames[0], save_all=True, append_images=frames[1:], **options)
    kept = normalised(ImageFile.read(content))
    image = pixels_of(kept.content)
    assert kept.media_type == "image/png"
    assert getattr(image, "n_frames", 1) == 1
    first = Image.open(io.BytesIO(content))
    assert image.convert("RGB").tobytes() == first.convert("RGB").tobytes()


def test_further_pictures_of_a_phone_are_left_out() -> None:
    content, second = encoded("JPEG"), encoded("JPEG", picture(seed=1))
    assert ImageFile.read(content + second).content == ImageFile.read(content).content


EMPTY_CHUNK = bytes(4) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (bomb, "16,384 × 16,384 pixels"),
    "a header": (lambda: png_of(60_000, 60_000), "60,000 × 60,000 pixels"),
    "no pixels": (lambda: png_of(0, 10), "no pixels"),
    "frames": (many_frames, "more than 1,000 frames"),
    **{f"polyglot {k}": (lambda k=k: polyglot(k), "two files in one") for k in ("PNG", "JPEG", "WEBP", "GIF")},  # type: ignore[misc]
    "scans": (lambda: jpeg_of_scans(6_324, 6_324, 100), "too many times"),
    # a marker without a length, after which what looks like a length hides the next scans from a careless reader
    "hidden scans": (lambda: jpeg_of_scans(6_324, 6_324, 5_000, between=b"\xff\x01\xff\xff"), "too many times"),
    "a page": (lambda: b"<html><script>alert(1)</script>", "not a PNG, JPEG, WebP or GIF"),
    "an svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG, WebP or GIF"),
    "nothing": (lambda: b"", "not a PNG, JPEG, WebP or GIF"),
    "bytes": (lambda: encoded("PNG")[:-4] + bytes(11 << 20), "at most 10 MiB"),
    "blocks": (
        lambda: png_of(1, 1)[:33] + (bytes(4) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))) * 800_000,
        "too many blocks",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_before_they_are_decoded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, reason = HOSTILE[name]
    content = make()
    monkeypatch.setattr(DecodableFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(ImageRefused, match=reason):
        ImageFile.read(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "options"), [("RGB", {"subsampling": 0}), ("RGB", {"subsampling": 2}), ("L", {}), ("CMYK", {})]
)
def test_a_progressive_photograph_of_the_largest_size_is_read(mode: str, options: dict[str, object]) -> None:
    content = encoded("JPEG", Image.new(mode, (6_320, 6_320)), progressive=True, **options)
    assert ImageFile.read(content).width_px == 6_320


def test_what_has_many_scans_but_is_small_is_read() -> None:
    kept = normalised(ImageFile.read(jpeg_of_scans(300, 200, 1_000, between=b"\xff\x01")))
    assert pixels_of(kept.content).size == (300, 200)


def test_an_image_that_was_stored_before_there_was_a_limit_is_still_read() -> None:
    content = jpeg_of_scans(6_324, 6_324, 100)
    assert ImageFile.read(content, stored=True).width_px == 6_324


def test_an_image_that_takes_too_long_is_refused_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ImageFile.read(encoded("JPEG", picture(640, 480)))
    monkeypatch.setattr(decoding, "MAX_DECODE_CPU_S", -1.0)
    with pytest.raises(ImageRefused, match="to decode; save it again, smaller"):
        normalised(file)
    assert opened(file).size == (640, 480)  # as one that has been stored


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_image_that_is_encoded_again_takes_no_more_than_an_image_may(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    file = ImageFile.read(encoded(kind, picture(), exif=exif(6), **options))
    monkeypatch.setattr(decoding, "MAX_IMAGE_BYTES", 1_000)
    with pytest.raises(ImageRefused, match="turned upright and of one frame, has more than"):
        normalised(file)


def test_a_photograph_is_turned_as_a_photograph() -> None:
    content = encoded("WEBP", picture(640, 480), exif=exif(6), quality=80)
    kept = normalised(ImageFile.read(content))
    assert kept.media_type == "image/jpeg"
    assert pixels_of(kept.content).size == (kept.width_px, kept.height_px) == (480, 640)


def test_callers_take_turns_to_have_their_images_decoded() -> None:
    order: list[str] = []

    def decode(caller: str) -> None:
        with decoding.turn(caller):
            order.append(caller)

    with decoding.turn("many"):
        waiting = [Thread(target=decode, args=("many",)) for _ in range(3)]
        for thread in waiting:
            thread.start()
        with decoding.turn("one"):  # at once, although others wait
            assert order == []
            waiting.append(Thread(target=decode, args=("one",)))
            waiting.append(Thread(target=decode, args=("another",)))
            for thread in waiting[3:]:
                thread.start()
            wait_until(lambda: decoding.waiting() == 5)
        wait_until(lambda: sorted(order) == ["another", "one"])
        assert decoding.waiting() == 3
    for thread in waiting:
        thread.join()
    assert order[2:] == ["many"] * 3


def test_a_hostile_file_takes_little_memory() -> None:
    code = """
import resource
from support.images import bomb, many_frames, png_of, polyglot
from foxing.memory.images.decoding import normalised
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
hostile = [bomb(), png_of(60_000, 60_000), many_frames(), *map(polyglot, ("PNG", "JPEG", "WEBP", "GIF"))]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for content in hostile:
    try:
        normalised(ImageFile.read(content))
    except ImageRefused:
        continue
    raise AssertionError
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert int(found.stdout) < 100 << 10  # KiB


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    content = encoded(kind)
    for length in (*range(3, 60, 7), len(content) // 2, len(content) - 3):
        with pytest.raises(ImageRefused):
            normalised(ImageFile.read(content[:length]))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_damaged_file_is_refused_or_decoded(kind: str) -> None:
    content = bytearray(encoded(kind))
    for place in range(0, len(content), max(1, len(content) // 150)):
        damaged = bytes(content[:place]) + bytes([content[place] ^ 0x5A]) + bytes(content[place + 1 :])
        try:
            kept = normalised(ImageFile.read(damaged))
        except ImageRefused:
            continue
        assert pixels_of(kept.content).size == (kept.width_px, kept.height_px)
