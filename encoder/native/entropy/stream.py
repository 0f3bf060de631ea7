"""Stream of a page: its symbols and the encoder's confidence in them, of variable length.

    1 byte: rows of cells, plus 128 if the page is cut │ 2 bytes if it is cut: number of cells │ output of the kernel

A page that does not fit is cut: the cells left out read as a gap.
"""

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder.errors import TokensError
from foxing.renderer import DENSE_PAGE

from .alphabet import COLUMNS, SymbolGrid
from .confidence import CERTAIN_FROM, LEVEL_CONFIDENCE, quantize
from .kernel import CodedCells, Kernel

CUT = 0x80  # flag in the first byte
_CUT_HEADER = struct.Struct("<BH")


class StreamedPage(NamedTuple):
    """Page read from its stream, [rows, 160] each."""

    #: Symbols; 0 in the gap.
    grid: SymbolGrid
    #: float32 in [0, 1]: confidence of the encoder; 0 in the gap.
    confidence: npt.NDArray[np.float32]
    #: Number of cells before the gap.
    stored: int


def write_stream(
    kernel: Kernel,
    grid: SymbolGrid,
    confidence: npt.NDArray[np.float32],
    capacity: int,
    certain_from: float = CERTAIN_FROM,
) -> bytes:
    """Writes the stream of a page, [rows, 160] each, in at most `capacity` bytes. `certain_from`: as for `quantize`."""
    rows = len(grid.symbols)
    symbols, rare = (part.reshape(-1).astype(np.uint16) for part in grid)
    cells = CodedCells(symbols, rare, quantize(confidence, certain_from).reshape(-1).astype(np.uint8))
    written = kernel.encode(cells, capacity - _CUT_HEADER.size)
    if written.cells == len(symbols):
        return bytes((rows,)) + written.data
    return _CUT_HEADER.pack(rows | CUT, written.cells) + written.data


def read_stream(kernel: Kernel, data: bytes, max_rows: int = DENSE_PAGE.rows) -> StreamedPage:
    """Inverts `write_stream`, up to `max_rows` rows. Raises `TokensError` for bytes that it cannot produce."""
    rows = data[0] & ~CUT if data else 0
    cut = bool(data) and data[0] >= CUT
    total = rows * COLUMNS
    if not 0 < rows <= DENSE_PAGE.rows or (cut and len(data) < _CUT_HEADER.size):
        raise TokensError("these vision tokens are invalid: their header states an impossible size")
    length = _CUT_HEADER.unpack_from(data)[1] if cut else total
    if cut and length >= total:
        raise TokensError("these vision tokens are invalid: they keep more cells than their page has")
    rows = min(rows, max_rows)
    total = rows * COLUMNS
    whole = length <= rows * COLUMNS
    length = min(length, total)
    try:
        cells = kernel.decode(data[_CUT_HEADER.size if cut else 1 :], length, whole=whole)
    except ValueError as error:
        raise TokensError(f"these vision tokens are invalid: {error}") from error
    symbols, rare, levels = (np.pad(part, (0, total - length)).reshape(rows, COLUMNS) for part in cells)
    confidence = LEVEL_CONFIDENCE[levels]
    confidence.reshape(-1)[length:] = 0
    return StreamedPage(SymbolGrid(symbols.astype(np.int64), rare.astype(np.int64)), confidence, length)
