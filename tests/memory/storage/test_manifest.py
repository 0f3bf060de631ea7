"""The manifest of a page: what is packed comes back, and damage is noticed."""

import json
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxing.memory import StorageError
from foxing.memory.storage import manifest
from foxing.memory.storage.manifest import DIGEST_BYTES, PageManifest, PageMessages, Place, SealedMessage

TEXTS = st.text(max_size=12)


@st.composite
def pages(draw: st.DrawFn) -> tuple[list[SealedMessage], list[Place]]:
    """Messages of a page in any order and of any values, and their places, some in two parts."""
    ids = draw(st.lists(st.integers(1, 2**40), unique=True, max_size=12))
    messages = [
        SealedMessage(
            message_id,
            draw(st.none() | TEXTS),
            draw(st.integers(1, 2**31)),
            draw(TEXTS),
            draw(st.none() | TEXTS),
            draw(st.integers(-(2**55), 2**55)),
            draw(st.integers(0, 2**20)),
            draw(st.integers(0, 300)),
            draw(st.integers(1, 5000)),
            draw(st.sampled_from([b"", bytes(range(DIGEST_BYTES))])),
            draw(st.none() | st.just('{"a":"한"}')),
        )
        for message_id in ids
    ]
    places, at = [], 0
    for message in messages:
        for _ in range(draw(st.integers(1, 2))):
            header, length = draw(st.integers(0, 40)), draw(st.integers(0, 200))
            first = draw(st.integers(0, message.chars))
            last = draw(st.integers(first, message.chars))
            places.append(Place(message.id, at, at + header, at + header + length, first, last))
            at += header + length + draw(st.integers(0, 3))
    return messages, places


@pytest.mark.slow
@given(pages())
@settings(max_examples=150, deadline=None)
def test_a_directory_comes_back_as_it_was_packed(page: tuple[list[SealedMessage], list[Place]]) -> None:
    messages, places = page
    packed = PageManifest.of(messages, places).pack()
    manifest, on_page = PageManifest.unpack(packed), PageMessages.unpack(packed)
    assert manifest.messages == messages
    assert on_page.ids.tolist() == sorted(message.id for message in messages)
    assert on_page.several_passages == {message.id: message.passages for message in messages if message.passages > 1}
    assert manifest.places == places
    assert all(manifest.message(manifest.place_of[message.id]) == message for message in messages)


def sample() -> PageManifest:
    messages, places, at = [], [], 0
    for number in range(80):
        chars, key = 60 + number * 7 % 90, None if number % 2 else f"D{number // 20}:{number % 20}"
        when = (1_700_000_000 + 47 * number) * 1_000_000
        who = ("user", "Ann") if number % 2 else ("assistant", "Bob")
        messages.append(SealedMessage(500 + number, key, 3, *who, when, chars, 0, 1, bytes(range(DIGEST_BYTES)), None))
        places.append(Place(500 + number, at, at + 22, at + 22 + chars, 0, chars))
        at += 22 + chars
    return PageManifest.of(messages, places)


def test_a_message_of_a_page_takes_few_bytes() -> None:
    manifest = sample()
    without_digests = replace(manifest, has_digest=np.zeros(len(manifest), dtype=bool))
    assert len(manifest.pack()) < (6 + DIGEST_BYTES) * len(manifest)
    assert len(without_digests.pack()) < 6 * len(manifest)


@pytest.mark.parametrize("place", [3, 7, 40, -1])
def test_damage_is_noticed(place: int) -> None:
    packed = bytearray(sample().pack())
    packed[place] ^= 1
    for kind in (PageManifest, PageMessages):
        with pytest.raises(StorageError, match="damaged"):
            kind.unpack(bytes(packed))
    with pytest.raises(StorageError, match="damaged"):
        PageManifest.unpack(b"")


def test_a_directory_of_another_version_is_called_so() -> None:
    packed = sample().pack()
    with pytest.raises(StorageError, match="another version of foxing"):
        PageManifest.unpack(b"\1" + packed[1:])


def forged(change: Callable[[npt.NDArray[np.uint32], list[Any]], None], padding: int = 0) -> bytes:
    """Returns a manifest with a valid checksum whose counts and texts are others. `padding`: bytes after its texts."""
    packed = sample().pack()
    end = 9 + int.from_bytes(packed[5:9], "little")
    body = lzma.decompress(packed[9:end], lzma.FORMAT_RAW, filters=manifest._FILTERS)
    start = body.index(b'[["')
    head, texts = np.frombuffer(body[:80], "<u4").copy(), json.loads(body[start:])
    change(head, texts)
    written = texts[0] if isinstance(texts[0], bytes) else json.dumps(texts).encode()
    body = head.tobytes() + body[80:start] + written + b" " * padding
    again = lzma.compress(body, lzma.FORMAT_RAW, filters=manifest._FILTERS)
    again = len(again).to_bytes(4, "little") + again + packed[end:]
    return packed[:1] + zlib.crc32(again).to_bytes(4, "little") + again


def set_head(place: int, value: int) -> Callable[[npt.NDArray[np.uint32], list[Any]], None]:
    def change(head: npt.NDArray[np.uint32], texts: list[Any]) -> None:
        head[place] = value

    return change


def set_texts(place: int, value: Any) -> Callable[[npt.NDArray[np.uint32], list[Any]], None]:
    def change(head: npt.NDArray[np.uint32], texts: list[Any]) -> None:
        texts[place] = value

    return change


def no_columns(head: npt.NDArray[np.uint32], texts: list[Any]) -> None:
    """Billions of messages whose numbers take no bytes."""
    head[0], head[1], head[5:] = 4_000_000_000, 4_000_000_000, 0


def wide_columns(head: npt.NDArray[np.uint32], texts: list[Any]) -> None:
    """No message, whose numbers have billions of bytes."""
    head[0], head[1], head[5:] = 0, 0, 4_000_000_000


FORGED = {
    "no columns": no_columns,
    "wide columns": wide_columns,
    "unit": set_head(2, 9),
    "places": set_head(1, 79),
    "width": set_head(5, 9),
    "labels": set_texts(0, ["user"]),
    "labels of numbers": set_texts(0, [1, 2, 3, 4]),
    "no list": set_texts(0, 5),
    "keys": set_texts(1, ["a"]),
    "keys of numbers": set_texts(1, [7] * 80),
    "metadata of no message": set_texts(2, [[80, "{}"]]),
    "metadata of before": set_texts(2, [[-1, "{}"]]),
    "metadata as an object": set_texts(2, [[0, {}]]),
    "deep": set_texts(0, b"[" * 100_000 + b"]" * 100_000),
}


def test_what_is_packed_again_unchanged_is_read() -> None:
    assert PageManifest.unpack(forged(lambda head, texts: None)).messages == sample().messages


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_manifest_is_damaged_whatever_its_checksum(name: str) -> None:
    with pytest.raises(StorageError, match="damaged"):
        PageManifest.unpack(forged(FORGED[name]))


@pytest.mark.slow
def test_a_forged_manifest_does_not_fill_the_memory() -> None:
    packed = forged(lambda head, texts: None, padding=200 << 20)
    assert len(packed) < 100_000
    for kind in (PageManifest, PageMessages):
        tracemalloc.start()
        with pytest.raises(StorageError, match="damaged"):
            kind.unpack(packed)
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
        tracemalloc.stop()
