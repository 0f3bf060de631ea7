"""Images made for tests, well-formed and hostile."""

import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from PIL import Image


def picture(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    """Returns a picture like a photograph: a gradient with some noise. Mode RGB."""
    noise = np.random.default_rng(seed).integers(0, 60, (height, width, 3))
    slope = np.linspace(0, 190, width)[None, :, None] * np.array([1.0, 0.6, 0.3])
    return Image.fromarray((noise + slope).astype(np.uint8))


def encoded(kind: str = "PNG", image: Image.Image | None = None, **options: Any) -> bytes:
    """Returns an image as a file. `kind`: PNG, JPEG, WEBP or GIF."""
    file = io.BytesIO()
    (image or picture()).save(file, kind, **options)
    return file.getvalue()


def pixels_of(content: bytes) -> Image.Image:
    """Returns the decoded image of a file."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """Returns a PNG of mode RGBA whose header says this size; `data`: compressed pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb() -> bytes:
    """Returns a PNG of 1 MiB that has 1 GiB of pixels."""
    compressor = zlib.compressobj(9)
    compressor.compress(bytes(1 << 20))
    compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return png_of(16_384, 16_384, b"\x78\xda" + block * 1_024)


def many_frames(frames: int = 10_000) -> bytes:
    """Returns a GIF of this many frames."""
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + one * frames + b";"


def polyglot(kind: str = "PNG") -> bytes:
    """Returns an image that is a zip archive too."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("hidden.txt", "hidden")
    return encoded(kind) + archive.getvalue()


def jpeg_of_scans(width: int, height: int, scans: int, between: bytes = b"") -> bytes:
    """Returns a progressive JPEG in grey whose pixels are gone through again by each scan: a few bytes in the file.
    `between`: stands before each scan but the first."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    frame = segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0]))
    tables = segment(0xDB, bytes([0]) + bytes([1] * 64))
    for kind, symbol in ((0x00, 0), (0x10, 0xE0)):  # a code of one bit: no difference, and a run of empty blocks
        tables += segment(0xC4, bytes([kind, 1, *[0] * 15, symbol]))
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(8)
    runs = -(-((width + 7) // 8 * ((height + 7) // 8)) // 32_767)
    bits = "011111111111111" * runs
    bits += "1" * (-len(bits) % 8)
    data = b"".join(bytes([byte]) + (b"\0" if byte == 0xFF else b"") for byte in _bytes_of(bits))
    again = between + segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10])) + data
    return b"\xff\xd8" + tables + frame + first + again * (scans - 1) + b"\xff\xd9"


def _bytes_of(bits: str) -> bytes:
    return bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits), 8))
