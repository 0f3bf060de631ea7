"""Hostile image files, and what it takes to refuse one.

python -m benchmarks.images.hostile "bomb of 1 GiB"
"""

import io
import resource
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable

from PIL import Image

from foxing.memory.images.decoding import normalised
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused


def _png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _bomb() -> bytes:
    compressor = zlib.compressobj(9)
    compressor.compress(bytes(1 << 20))
    compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return _png(16_384, 16_384, b"\x78\xda" + block * 1_024)


def _polyglot() -> bytes:
    image, archive = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (640, 480)).save(image, "PNG")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("hidden.txt", "hidden")
    return image.getvalue() + archive.getvalue()


def _frames() -> bytes:
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + one * 10_000 + b";"


#: Name of a hostile file → makes it.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "bomb of 1 GiB": _bomb,
    "header of 60,000 × 60,000 px": lambda: _png(60_000, 60_000),
    "polyglot of PNG and ZIP": _polyglot,
    "10,000 frames": _frames,
}


def main() -> None:
    """Prints the ms until a file is refused, and the MiB that it takes beyond the file."""
    content = HOSTILE[sys.argv[1]]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    try:
        normalised(ImageFile.read(content))
    except ImageRefused:
        ms = 1000 * (time.perf_counter() - started)
        print(round(ms, 1), round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1))
        return
    sys.exit("it was not refused")


if __name__ == "__main__":
    main()
