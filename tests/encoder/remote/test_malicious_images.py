"""Images in tokens that no codec of ours has drawn: a clear error, in little memory."""

import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.databases import execute
from support.endpoint_server import LoadCodec, Server

from foxing.encoder import TokensError, VisionTokens
from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.options import RemoteOptions
from foxing.encoder.tokens import png_bytes
from foxing.memory import Memory, TokensDamaged, Unreadable

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MEGABYTE = bytes(1 << 20)
SIDE_PX = 320  # of a page at micro


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


@cache
def deflated_megabytes(count: int) -> bytes:
    deflate = zlib.compressobj(1)
    return b"".join([*(deflate.compress(MEGABYTE) for _ in range(count)), deflate.flush()])


def png(*chunks: bytes) -> bytes:
    return PNG_SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def picture(form: str) -> bytes:
    buffer = BytesIO()
    Image.new("L", (SIDE_PX, SIDE_PX), 255).save(buffer, form)
    return buffer.getvalue()


def tokens_of(data: bytes) -> VisionTokens:
    return VisionTokens("remote", "png-80x40", "micro", (5, 5, 1), "png", data)


PAGE = png_bytes(Image.fromarray(np.arange(SIDE_PX * SIDE_PX, dtype=np.uint32).astype(np.uint8).reshape(SIDE_PX, -1)))


def bomb() -> bytes:
    return png(header(12_000, 12_000, 16, 6), chunk(b"IDAT", deflated_megabytes(100)))


#: Made in the tests that read them.
REFUSED: dict[str, Callable[[], bytes]] = {
    "12,000 px a side": bomb,
    "more px than there is memory": lambda: png(header(2**31 - 1, 2**31 - 1), chunk(b"IDAT", deflated_megabytes(1))),
    "one px by many": lambda: png(header(1, 100_000_000), chunk(b"IDAT", deflated_megabytes(100))),
    "no px": lambda: png(header(0, SIDE_PX), chunk(b"IDAT", deflated_megabytes(1))),
    "a second header": lambda: png(header(64, 64), header(12_000, 12_000), chunk(b"IDAT", deflated_megabytes(1))),
    "no header": lambda: png(chunk(b"IDAT", deflated_megabytes(1))),
    "no pixels": lambda: png(header(SIDE_PX, SIDE_PX)),
    "too few pixels": lambda: png(header(SIDE_PX, SIDE_PX), chunk(b"IDAT", zlib.compress(bytes(1000)))),
    "pixels that are not deflated": lambda: png(header(SIDE_PX, SIDE_PX), chunk(b"IDAT", bytes(1000))),
    "a depth that does not exist": lambda: png(header(SIDE_PX, SIDE_PX, 3), chunk(b"IDAT", deflated_megabytes(1))),
    "a palette that does not exist": lambda: png(header(SIDE_PX, SIDE_PX, 8, 3), chunk(b"PLTE", b"ab")),
    "a chunk longer than the file": lambda: PNG_SIGNATURE + struct.pack(">I", 2**32 - 1) + header(64, 64)[4:],
    "truncated": lambda: PAGE[: len(PAGE) // 2],
    "a signature alone": lambda: PNG_SIGNATURE,
    "a GIF": lambda: picture("GIF"),
    "a TIFF": lambda: picture("TIFF"),
    "a PostScript program": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 320 320\n",
}
#: Of these all but the page itself is left out.
WITH_MORE: dict[str, Callable[[], bytes]] = {
    "compressed text": lambda: chunk(b"zTXt", b"Comment\0\0" + deflated_megabytes(200)),
    "a colour profile": lambda: chunk(b"iCCP", b"name\0\0" + deflated_megabytes(200)),
    "an animation": lambda: chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
    "transparency": lambda: chunk(b"tRNS", bytes(16)),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_image_that_is_no_page_is_refused(kind: str) -> None:
    codec = EndpointCodec.load(RemoteOptions(url="http://127.0.0.1:9/v1", model="ocr", columns=80))
    tokens = VisionTokens.from_bytes(tokens_of(REFUSED[kind]()).to_bytes())
    with pytest.raises(TokensError, match=r"cannot be read \(.+\); restore the page from a backup$"):
        tokens.image()
    for use in (
        lambda: codec.decode([tokens]),
        lambda: codec.lower([tokens], "micro", [40]),
        lambda: codec.blank([tokens], [np.ones((40, 80), dtype=bool)]),
    ):
        with pytest.raises(TokensError):
            use()
    assert codec.usage.requests == 0


@pytest.mark.parametrize("kind", WITH_MORE)
def test_what_a_file_holds_beside_the_page_is_not_looked_at(kind: str) -> None:
    after_header = len(PNG_SIGNATURE) + len(header(1, 1))
    data = PAGE[:after_header] + WITH_MORE[kind]() + PAGE[after_header:]
    assert tokens_of(data).image().tobytes() == tokens_of(PAGE).image().tobytes()


def test_an_image_of_another_size_than_its_tier_is_refused() -> None:
    codec = EndpointCodec.load(RemoteOptions(url="http://127.0.0.1:9/v1", model="ocr", columns=80))
    larger = tokens_of(png_bytes(Image.new("L", (640, 640), 255)))
    for use in (
        lambda: codec.decode([larger]),
        lambda: codec.lower([larger], "micro", [40]),
        lambda: codec.blank([larger], [np.ones((40, 80), dtype=bool)]),
    ):
        with pytest.raises(TokensError, match="640×640 px is not a page of 'micro'"):
            use()


@pytest.mark.slow
def test_images_are_read_in_little_memory(tmp_path: Path) -> None:
    names = []
    after_header = len(PNG_SIGNATURE) + len(header(1, 1))
    endless = png(header(SIDE_PX, SIDE_PX), chunk(b"IDAT", deflated_megabytes(200)))
    others = [PAGE[:after_header] + more() + PAGE[after_header:] for more in WITH_MORE.values()]
    refused = [make() for make in REFUSED.values()]
    for number, data in enumerate([*refused, *others, endless]):
        names.append(tmp_path / str(number))
        names[-1].write_bytes(tokens_of(data).to_bytes())
    assert _outcomes(names) == ["refused"] * len(REFUSED) + ["read"] * (len(others) + 1)


def _outcomes(files: Sequence[Path]) -> list[str]:
    """What becomes of the tokens in files, in a process that may take 48 MB more than it has when it begins."""
    script = """
import resource, sys
from pathlib import Path
from foxing.encoder import TokensError, VisionTokens
from foxing.encoder.tokens import png_bytes
from PIL import Image
VisionTokens("remote", "w", "micro", (1, 1, 1), "png", png_bytes(Image.new("L", (64, 64)))).image()
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (48 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for file in sys.argv[1:]:
    try:
        VisionTokens.from_bytes(Path(file).read_bytes()).image()
        print("read")
    except TokensError:
        print("refused")
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, files)], capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


def damaged(data: bytes, generator: random.Random) -> bytes:
    """`data` with some bytes changed, and the checksums of its chunks made right again half of the time."""
    changed = bytearray(data)
    for _ in range(generator.randint(1, 4)):
        changed[generator.randrange(len(changed))] = generator.randrange(256)
    if generator.random() < 0.5:
        changed = bytearray(PNG_SIGNATURE + b"".join(chunk(kind, body) for kind, body in chunks(bytes(changed))))
    return bytes(changed[: generator.randrange(1, len(changed))] if generator.random() < 0.2 else changed)


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(PNG_SIGNATURE)
    while position + 8 < len(data):
        length = int.from_bytes(data[position : position + 4])
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += length + 12


def test_any_bytes_are_refused_or_an_image_of_a_page() -> None:
    generator = random.Random(29)
    small = png_bytes(Image.fromarray(np.arange(4096, dtype=np.uint32).astype(np.uint8).reshape(64, 64)))
    outcomes = set()
    for _ in range(2000):
        try:
            image = tokens_of(damaged(small, generator)).image()
        except TokensError:
            outcomes.add("refused")
        else:
            assert image.mode == "L"
            assert max(image.size) <= 1280
            outcomes.add("read")
    assert outcomes == {"refused", "read"}


@pytest.mark.slow
def test_a_bank_with_a_malicious_image_loses_that_page_alone(
    server: Server, load: LoadCodec, database_url: str
) -> None:
    clock = [START + timedelta(days=1)]
    with Memory(database_url, codec=load(server.url), clock=lambda: clock[0]) as memory:
        for page in ("a", "b"):
            said = {
                "id": page,
                "role": "user",
                "content": f"Titan ships on 14 March, says {page}.",
                "created_at": START,
            }
            memory.store("ana", [said])
            memory.seal("ana")
        clock[0] += timedelta(days=8)
        memory.age("ana")
        ((page_id, blob),) = execute(database_url, "SELECT page_id, tokens FROM page_contents ORDER BY page_id LIMIT 1")
        replaced = replace(VisionTokens.from_bytes(bytes(blob)), data=bomb()).to_bytes()
        execute(database_url, "UPDATE page_contents SET tokens = :blob WHERE page_id = :id", blob=replaced, id=page_id)
    with Memory(database_url, codec=load(server.url), clock=lambda: clock[0]) as memory:
        first, second = memory.pages("ana").pages
        with pytest.raises((Unreadable, TokensDamaged), match="12000×12000 px; a page has at most 1280 px"):
            memory.read_page("ana", first.id)
        found = memory.recall("ana", "Titan")
        assert [span.message_id for span in found.spans if span.text] == ["b"]
        clock[0] += timedelta(days=30)
        report = memory.age("ana")
        assert [move.page_id for move in report.moved] == [second.id]
        memory.erase_message("ana", "a")
        assert [span.message_id for span in memory.export("ana")] == ["b"]
