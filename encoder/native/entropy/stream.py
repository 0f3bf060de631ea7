"""The stream of a page: its symbols and the encoder's confidence in them, at their true length.

    1 byte: rows of cells, plus 128 if the page is cut │ 2 bytes if it is: cells kept │ what the kernel writes

A page that does not fit is cut: the cells that are left out are a gap when it is read.
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

CUT = 0x80
_CUT_HEADER = struct.Struct("<BH")


class StreamedPage(NamedTuple):
    """A page read from its stream, [rows, 160] each."""

    #: The symbols; 0 in the gap.
    grid: SymbolGrid
    #: float32 in [0, 1]: confidence of the encoder; 0 in the gap.
    confidence: npt.NDArray[np.float32]
    #: Cells before the gap.
    kept: int


def write_stream(
    kernel: Kernel,
    grid: SymbolGrid,
    confidence: npt.NDArray[np.float32],
    capacity: int,
    certain_from: float = CERTAIN_FROM,
) -> bytes:
    """The stream of a page, [rows, 160] each, in at most `capacity` bytes. `certain_from`: as for `quantize`."""
    rows = len(grid.symbols)
    symbols, rare = (part.reshape(-1).astype(np.uint16) for part in grid)
    cells = CodedCells(symbols, rare, quantize(confidence, certain_from).reshape(-1).astype(np.uint8))
    written = kernel.encode(cells, capacity - _CUT_HEADER.size)
    if written.cells == len(symbols):
        return bytes((rows,)) + written.data
    return _CUT_HEADER.pack(rows | CUT, written.cells) + written.data


def read_stream(kernel: Kernel, data: bytes, max_rows: int = DENSE_PAGE.rows) -> StreamedPage:
    """The inverse of `write_stream`, up to `max_rows` rows. Raises `TokensError` for bytes that it does not write."""
    rows = data[0] & ~CUT if data else 0
    cut = bool(data) and data[0] >= CUT
    total = rows * COLUMNS
    if not 0 < rows <= DENSE_PAGE.rows or (cut and len(data) < _CUT_HEADER.size):
        raise TokensError("these vision tokens are invalid: their header states an impossible size")
    kept = _CUT_HEADER.unpack_from(data)[1] if cut else total
    if cut and kept >= total:
        raise TokensError("these vision tokens are invalid: they keep more cells than their page has")
    rows = min(rows, max_rows)
    total, whole = rows * COLUMNS, kept <= rows * COLUMNS
    kept = min(kept, total)
    try:
        cells = kernel.decode(data[_CUT_HEADER.size if cut else 1 :], kept, whole=whole)
    except ValueError as error:
        raise TokensError(f"these vision tokens are invalid: {error}") from error
    symbols, rare, levels = (np.pad(part, (0, total - kept)).reshape(rows, COLUMNS) for part in cells)
    confidence = LEVEL_CONFIDENCE[levels]
    confidence.reshape(-1)[kept:] = 0
    return StreamedPage(SymbolGrid(symbols.astype(np.int64), rare.astype(np.int64)), confidence, kept)
