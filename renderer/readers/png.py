"""PNG files of page images. Rows are not filtered, which for type is faster and no larger, and two colours take one bit
a pixel."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: zlib level of images of one bit a pixel, and of eight: higher ones take twice as long and save a tenth of the bytes.
BILEVEL_LEVEL = 6
GREY_LEVEL = 4


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Returns a greyscale PNG. `pixels`: uint8[height, width], 255 is paper, 0 ink. The same pixels always give the
    same bytes."""
    height, width = pixels.shape
    bilevel = not ((pixels != 0) & (pixels != 255)).any()
    rows = np.packbits(pixels != 0, axis=1) if bilevel else pixels
    filtered = np.zeros((height, rows.shape[1] + 1), dtype=np.uint8)  # filter 0 before each row
    filtered[:, 1:] = rows
    header = struct.pack(">IIBBBBB", width, height, 1 if bilevel else 8, 0, 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), BILEVEL_LEVEL if bilevel else GREY_LEVEL)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
