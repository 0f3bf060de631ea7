"""Exact text of a page, stored as what it needs beyond the tokens.

Streamed tokens decode identically everywhere. If they read exactly as the text, nothing else is stored and the page is
verified. If a few cells differ, these are stored as corrections; otherwise the complete text is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.encoder import Reading
from foxing.memory.errors import TokensDamaged
from foxing.memory.storage.blobs.reference import MissingBlob
from foxing.renderer.page import BLANK, Cells

ZSTD_LEVEL = 19
_DIFFERENCES = b"\x01"
_DAMAGED = "its kept text is damaged"

VERIFIED = b""
_EMPTY = np.array([BLANK, ord(" ")], np.uint32)


@dataclass(frozen=True)
class Differences:
    """Corrections to the cells that the tokens of a page misread."""

    #: int64[n], cell indices in reading order, ascending
    places: npt.NDArray[np.int64]
    #: uint32[n], the correct cells
    values: npt.NDArray[np.uint32]

    def apply(self, cells: Cells, first_row: int) -> None:
        """Corrects `cells` in place. They are rows of the page, the first of which is `first_row`."""
        flat = cells.reshape(-1)
        places = self.places - first_row * cells.shape[1]
        inside = (places >= 0) & (places < flat.size)
        flat[places[inside]] = self.values[inside]


NO_DIFFERENCES = Differences(np.zeros(0, np.int64), np.zeros(0, np.uint32))


def pack_text(cells: Cells, reading: Reading | None = None) -> bytes:
    """Returns the bytes to store for the exact text of a page. `cells`: uint32[rows, columns]. `reading`: reading of
    its tokens, if they decode identically everywhere."""
    if reading is None or reading.cells.shape[1] != cells.shape[1]:
        return _whole(cells)
    wrong = _differences(cells, reading.cells)
    if not len(wrong.places):
        return VERIFIED
    steps = np.diff(wrong.places, prepend=0).astype("<u4").tobytes()
    packed = _DIFFERENCES + _compressed(steps + wrong.values.astype("<u4").tobytes())
    return min(packed, _whole(cells), key=len)


def _whole(cells: Cells) -> bytes:
    """Returns the complete text as a zstd frame with a checksum."""
    return _compressed(cells.astype("<u4").tobytes().decode("utf-32-le").encode())


def _compressed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(data)


def _differences(cells: Cells, read: Cells) -> Differences:
    """Returns the cells in which two grids differ. Missing rows count as blank, and after the end of the text a space
    equals a blank."""
    rows = max(len(cells), len(read))
    columns = cells.shape[1]
    grids = [np.full((rows, columns), BLANK, np.uint32) for _ in range(2)]
    for grid, cells_of_one in zip(grids, (cells, read), strict=True):
        grid[: len(cells_of_one)] = cells_of_one
    exact, other = (grid.reshape(-1) for grid in grids)
    end = int(np.flatnonzero(~np.isin(exact, _EMPTY)).max(initial=-1)) + 1
    same = exact == other
    same[end:] |= np.isin(other[end:], _EMPTY)
    places = np.flatnonzero(~same)
    return Differences(places.astype(np.int64), exact[places])


def is_self_contained(text: bytes) -> bool:
    """True if the kept text can be read without the tokens."""
    return bool(text) and not text.startswith(_DIFFERENCES)


def unpack_text(text: bytes, columns: int) -> Cells:
    """Returns the cells of a text that `is_self_contained`, uint32[rows, columns]. Raises `TokensDamaged`."""
    if isinstance(text, MissingBlob):
        raise TokensDamaged("its kept text is missing from object storage or was changed there; restore a backup")
    try:
        decoded = zstandard.ZstdDecompressor().decompress(text).decode()
        return np.frombuffer(decoded.encode("utf-32-le"), dtype="<u4").astype(np.uint32).reshape(-1, columns)
    except (zstandard.ZstdError, UnicodeError, ValueError) as error:
        raise TokensDamaged(_DAMAGED) from error


def exact_cells(text: bytes, columns: int, reading: Reading | None) -> Cells:
    """Returns the cells of a kept text, uint32[rows, columns]. `reading`: reading of the tokens, needed unless the text
    `is_self_contained`. Raises `TokensDamaged`."""
    if is_self_contained(text) or reading is None:
        return unpack_text(text, columns)
    cells = reading.cells.copy()
    unpack_differences(text).apply(cells, 0)
    return cells


def unpack_differences(text: bytes) -> Differences:
    """Returns the corrections to the tokens' reading, for a text that does not stand alone. Raises `TokensDamaged`."""
    if text == VERIFIED:
        return NO_DIFFERENCES
    try:
        numbers = np.frombuffer(zstandard.ZstdDecompressor().decompress(text[1:]), "<u4")
        steps, values = numbers.reshape(2, -1)
    except (zstandard.ZstdError, ValueError) as error:
        raise TokensDamaged(_DAMAGED) from error
    return Differences(np.cumsum(steps.astype(np.int64)), values.astype(np.uint32))
