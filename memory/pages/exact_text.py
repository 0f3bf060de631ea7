"""The exact text of a page: what must be kept of it beside the tokens.

Tokens that are pieces of a stream read the same everywhere. Where they read as what was written, nothing more is kept:
the page is verified. Where a few cells differ, these are kept; else all of the text is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.encoder import Reading
from foxing.memory.errors import TokensDamaged
from foxing.memory.storage.blobs.reference import MissingBlob
from foxing.renderer import BLANK, Cells

ZSTD_LEVEL = 19
_DIFFERENCES = b"\x01"
_DAMAGED = "its kept text is damaged"

VERIFIED = b""
_EMPTY = np.array([BLANK, ord(" ")], np.uint32)


@dataclass(frozen=True)
class Differences:
    """The cells of a page that its tokens read wrong."""

    #: int64[n], places in reading order, ascending
    places: npt.NDArray[np.int64]
    #: uint32[n], what stands there
    values: npt.NDArray[np.uint32]

    def apply(self, cells: Cells, first_row: int) -> None:
        """Corrects rows of the page, the first of which is `first_row`, in place."""
        flat = cells.reshape(-1)
        places = self.places - first_row * cells.shape[1]
        inside = (places >= 0) & (places < flat.size)
        flat[places[inside]] = self.values[inside]


NO_DIFFERENCES = Differences(np.zeros(0, np.int64), np.zeros(0, np.uint32))


def pack_text(cells: Cells, reading: Reading | None = None) -> bytes:
    """What must be kept of the exact text of a page. `cells`: uint32[rows, columns]; `reading`: what its tokens read
    as, if they read the same everywhere."""
    if reading is None or reading.cells.shape[1] != cells.shape[1]:
        return _whole(cells)
    wrong = _differences(cells, reading.cells)
    if not len(wrong.places):
        return VERIFIED
    steps = np.diff(wrong.places, prepend=0).astype("<u4").tobytes()
    packed = _DIFFERENCES + _compressed(steps + wrong.values.astype("<u4").tobytes())
    return min(packed, _whole(cells), key=len)


def _whole(cells: Cells) -> bytes:
    """All of a text, in a frame with a checksum."""
    return _compressed(cells.astype("<u4").tobytes().decode("utf-32-le").encode())


def _compressed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(data)


def _differences(cells: Cells, read: Cells) -> Differences:
    """Where two grids differ. Rows that one of them lacks are blank; what follows the text is blank or a space."""
    rows, columns = max(len(cells), len(read)), cells.shape[1]
    grids = [np.full((rows, columns), BLANK, np.uint32) for _ in range(2)]
    for grid, given in zip(grids, (cells, read), strict=True):
        grid[: len(given)] = given
    exact, held = (grid.reshape(-1) for grid in grids)
    end = int(np.flatnonzero(~np.isin(exact, _EMPTY)).max(initial=-1)) + 1
    same = exact == held
    same[end:] |= np.isin(held[end:], _EMPTY)
    places = np.flatnonzero(~same)
    return Differences(places.astype(np.int64), exact[places])


def stands_alone(text: bytes) -> bool:
    """Whether a kept text is all there without the tokens."""
    return bool(text) and not text.startswith(_DIFFERENCES)


def unpack_text(text: bytes, columns: int) -> Cells:
    """The cells of a text that `stands_alone`, uint32[rows, columns]. Raises `TokensDamaged`."""
    if isinstance(text, MissingBlob):
        raise TokensDamaged("its kept text is missing in object storage, or was changed there; restore a backup")
    try:
        decoded = zstandard.ZstdDecompressor().decompress(text).decode()
        return np.frombuffer(decoded.encode("utf-32-le"), dtype="<u4").astype(np.uint32).reshape(-1, columns)
    except (zstandard.ZstdError, UnicodeError, ValueError) as error:
        raise TokensDamaged(_DAMAGED) from error


def exact_cells(text: bytes, columns: int, reading: Reading | None) -> Cells:
    """The cells of a kept text, uint32[rows, columns]. `reading`: what the tokens read as, unless it `stands_alone`.
    Raises `TokensDamaged`."""
    if stands_alone(text) or reading is None:
        return unpack_text(text, columns)
    cells = reading.cells.copy()
    unpack_differences(text).apply(cells, 0)
    return cells


def unpack_differences(text: bytes) -> Differences:
    """What is to be corrected in what the tokens read as, for a text that does not stand alone. Raises
    `TokensDamaged`."""
    if text == VERIFIED:
        return NO_DIFFERENCES
    try:
        numbers = np.frombuffer(zstandard.ZstdDecompressor().decompress(text[1:]), "<u4")
        steps, values = numbers.reshape(2, -1)
    except (zstandard.ZstdError, ValueError) as error:
        raise TokensDamaged(_DAMAGED) from error
    return Differences(np.cumsum(steps.astype(np.int64)), values.astype(np.uint32))
