"""Python interface of the kernel, the compiled `mixing.c`, which codes the symbols of a page with the prior.

A wheel contains the kernel for its platform; `build.py` compiles it.
"""

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from foxing.encoder.errors import CodecError
from foxing.renderer import DENSE_PAGE

from .tables import STATE_BYTES, PriorTables

LIBRARY = Path(__file__).with_name("_mixing" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so"))
RATE = 13  # shift of the learning rate of the mixers
LIMIT = 400  # maximum count of an adaptive probability; a higher limit makes it adapt more slowly
MAX_CELLS = DENSE_PAGE.cells  # as in `mixing.c`
_NO_MEMORY = -(1 << 63)
_NO_PAGE = 1 - (1 << 63)
NOT_A_PAGE = (
    "these symbols are not a page: a symbol is unknown, or a full-width character begins in an odd or in the last "
    "column"
)

Symbols = npt.NDArray[np.uint16]
Levels = npt.NDArray[np.uint8]


class CodedCells(NamedTuple):
    """Symbols of N cells in reading order."""

    #: uint16 [N], as in `alphabet`.
    symbols: Symbols
    #: uint16 [N]: index into the rare narrow characters; 0 elsewhere.
    rare: Symbols
    #: uint8 [N]: confidence levels, as in `confidence`; equal for both cells of a full-width character.
    levels: Levels

    def first(self, count: int) -> Self:
        """Returns the first `count` cells, contiguous in memory and in the dtypes above. Raises `ValueError` if there
        are fewer cells, or if `count` exceeds the cells of a page."""
        if not 0 <= count <= min(MAX_CELLS, *(len(part) for part in self)):
            raise ValueError(f"{count} cells are more than were given or than a page has ({MAX_CELLS})")
        return type(self)(
            np.ascontiguousarray(self.symbols[:count], np.uint16),
            np.ascontiguousarray(self.rare[:count], np.uint16),
            np.ascontiguousarray(self.levels[:count], np.uint8),
        )

    @classmethod
    def empty(cls, count: int) -> Self:
        """Returns buffers for decoding `count` cells. Raises `ValueError` if `count` exceeds the cells of a page."""
        if not 0 <= count <= MAX_CELLS:
            raise ValueError(f"a page has at most {MAX_CELLS} cells, not {count}")
        return cls(np.zeros(count, np.uint16), np.zeros(count, np.uint16), np.zeros(count, np.uint8))


class WrittenStream(NamedTuple):
    """Stream of a page, possibly cut."""

    data: bytes
    #: Number of cells that it holds, from the first cell on; never half of a character.
    cells: int


class ModelStruct(ctypes.Structure):
    """`Model` of `mixing.c`."""

    _fields_ = (
        *(
            (name, ctypes.c_void_p)
            for name in ("stretch", "squash", "children", "codes", "lengths", "kinds", "nodes", "symbols")
        ),
        *((name, ctypes.c_uint32) for name in ("node_buckets", "symbol_buckets")),
        *((name, ctypes.c_int32) for name in ("rare_class", "newline")),
    )


@cache
def load_library() -> ctypes.CDLL:
    """Loads the compiled kernel, once. Raises `CodecError` if it is missing or of another version."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise CodecError(f"the kernel of the native codec cannot be loaded ({error}); reinstall foxing") from error
    library.foxing_state_bytes.restype = ctypes.c_int64
    if library.foxing_state_bytes() != STATE_BYTES:
        raise CodecError("the kernel of the native codec does not match this version; reinstall foxing")
    for name in ("encode", "decode", "costs", "learn", "contexts", "fill_nodes", "fill_symbols"):
        getattr(library, f"foxing_{name}").restype = ctypes.c_int64
    library.foxing_mixing_prepare()
    return library


def pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    """Returns the address of a contiguous array, which must outlive its use."""
    return ctypes.c_void_p(array.ctypes.data)


def _pointers(cells: CodedCells) -> list[ctypes.c_void_p]:
    return [pointer(cells.symbols), pointer(cells.rare), pointer(cells.levels)]


class Kernel:
    """Coder of pages with one set of tables. Thread-safe; releases the GIL."""

    def __init__(self, tables: PriorTables, rare_class: int, newline: int) -> None:
        """`rare_class`, `newline`: symbols with a special meaning. Raises `CodecError` if the kernel cannot be
        loaded."""
        self.tables = tables
        self.rare_class = rare_class
        self.newline = newline
        self.library = load_library()
        self._arrays = (*tables.paths, tables.state)
        self.model = ModelStruct(
            stretch=tables.stretch.ctypes.data,
            squash=tables.squash.ctypes.data,
            children=tables.children.ctypes.data,
            codes=self._arrays[0].ctypes.data,
            lengths=self._arrays[1].ctypes.data,
            kinds=tables.kinds.ctypes.data,
            nodes=tables.nodes.ctypes.data,
            symbols=tables.symbols.ctypes.data,
            node_buckets=len(tables.nodes),
            symbol_buckets=len(tables.symbols),
            rare_class=rare_class,
            newline=newline,
        )

    def encode(self, cells: CodedCells, capacity: int) -> WrittenStream:
        """Writes the stream of as many of the `cells` as fit into `capacity` bytes. Raises `ValueError` for symbols
        that are not a page."""
        written = self._encode(cells, capacity)
        if not isinstance(written, WrittenStream):
            written = self._encode(cells.first(written), capacity)
            assert isinstance(written, WrittenStream)
        return written

    def _encode(self, cells: CodedCells, capacity: int) -> WrittenStream | int:
        """Returns the stream of all `cells`, or the number of cells that fit."""
        count = len(cells.symbols)
        parts = cells.first(count)
        data = np.zeros(capacity + 8, dtype=np.uint8)
        length = self.library.foxing_encode(
            *(ctypes.byref(self.model), pointer(self.tables.state), RATE, LIMIT),
            *(*_pointers(parts), count, pointer(data), ctypes.c_int64(capacity)),
        )
        if length == _NO_MEMORY:
            raise MemoryError("out of memory while coding a page")
        if length == _NO_PAGE:
            raise ValueError(NOT_A_PAGE)
        return WrittenStream(data[:length].tobytes(), count) if length >= 0 else -1 - length

    def decode(self, data: bytes, count: int, *, whole: bool = True) -> CodedCells:
        """Inverts `encode` for the first `count` cells of a stream. `whole`: whether these are all cells of the stream,
        which is then checked. Raises `ValueError` for a stream that `encode` cannot produce."""
        cells = CodedCells.empty(count)
        stream = np.frombuffer(data, dtype=np.uint8)
        result = self.library.foxing_decode(
            *(ctypes.byref(self.model), pointer(self.tables.state), RATE, LIMIT),
            *(pointer(stream), ctypes.c_int64(len(data)), *_pointers(cells), count, whole),
        )
        if result == -2:
            raise MemoryError("out of memory while decoding a page")
        if result:
            raise ValueError("the stream does not decode to a page")
        return cells

    def costs(self, symbols: Symbols, rare: Symbols) -> Symbols:
        """Returns uint16 [N]: cost of each of the N cells of a page in units of 2^-4 bits; that of a full-width
        character is in its left cell. Raises `ValueError` for symbols that are not a page."""
        cells = CodedCells(symbols, rare, np.zeros(len(symbols), dtype=np.uint8)).first(len(symbols))
        result = np.zeros(len(symbols), dtype=np.uint16)
        done = self.library.foxing_costs(
            *(ctypes.byref(self.model), pointer(self.tables.state), RATE, LIMIT),
            *(*_pointers(cells)[:2], len(symbols), pointer(result)),
        )
        if done == -2:
            raise MemoryError("out of memory while coding a page")
        if done:
            raise ValueError(NOT_A_PAGE)
        return result
