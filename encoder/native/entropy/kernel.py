"""Codes the symbols of a page with the prior, by the compiled `mixing.c`.

A wheel holds the kernel of its platform; `build.py` compiles it.
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
LIMIT = 400  # decisions that a probability counts; more would make it slow to change
MAX_CELLS = DENSE_PAGE.cells  # of `Page` in `mixing.c`
_NO_MEMORY, _NO_PAGE = -(1 << 63), 1 - (1 << 63)
NOT_A_PAGE = (
    "these symbols are not a page: one of them is unknown, or a full-width character begins in an odd column or in the "
    "last one"
)

Symbols = npt.NDArray[np.uint16]
Levels = npt.NDArray[np.uint8]


class CodedCells(NamedTuple):
    """The symbols of N cells in reading order."""

    #: uint16 [N], as in `alphabet`.
    symbols: Symbols
    #: uint16 [N]: index into the rare narrow characters; 0 elsewhere.
    rare: Symbols
    #: uint8 [N]: levels of confidence, as in `confidence`; both cells of a full-width character have the same.
    levels: Levels

    def first(self, count: int) -> Self:
        """The first `count` cells, contiguous in memory and of the types above. Raises `ValueError` if there are fewer,
        or more than a page has."""
        if not 0 <= count <= min(MAX_CELLS, *(len(part) for part in self)):
            raise ValueError(f"{count} cells are more than are given or than a page has ({MAX_CELLS})")
        return type(self)(
            np.ascontiguousarray(self.symbols[:count], np.uint16),
            np.ascontiguousarray(self.rare[:count], np.uint16),
            np.ascontiguousarray(self.levels[:count], np.uint8),
        )

    @classmethod
    def empty(cls, count: int) -> Self:
        """`count` cells to decode into. Raises `ValueError` for a number that no page has."""
        if not 0 <= count <= MAX_CELLS:
            raise ValueError(f"a page has at most {MAX_CELLS} cells, not {count}")
        return cls(np.zeros(count, np.uint16), np.zeros(count, np.uint16), np.zeros(count, np.uint8))


class WrittenStream(NamedTuple):
    """The stream of a page."""

    data: bytes
    #: Cells that it holds, from the first one on; never half of a character.
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
    """The compiled kernel. Raises `CodecError` if this installation has none, or one of another version."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise CodecError(f"the kernel of the native codec cannot be loaded ({error}); install foxing again") from error
    library.foxing_state_bytes.restype = ctypes.c_int64
    if library.foxing_state_bytes() != STATE_BYTES:
        raise CodecError("the kernel of the native codec is of another version; install foxing again")
    for name in ("encode", "decode", "costs", "learn", "contexts", "fill_nodes", "fill_symbols"):
        getattr(library, f"foxing_{name}").restype = ctypes.c_int64
    library.foxing_mixing_prepare()
    return library


def pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    """The address of a contiguous array, which must outlive its use."""
    return ctypes.c_void_p(array.ctypes.data)


def _pointers(cells: CodedCells) -> list[ctypes.c_void_p]:
    return [pointer(cells.symbols), pointer(cells.rare), pointer(cells.levels)]


class Kernel:
    """Codes pages with one set of tables. Safe to share between threads; runs without the lock of the interpreter."""

    def __init__(self, tables: PriorTables, rare_class: int, newline: int) -> None:
        """`rare_class`, `newline`: symbols with a meaning. Raises `CodecError` if there is no compiled kernel."""
        self.tables = tables
        self.rare_class, self.newline = rare_class, newline
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
        """The stream of as many of the `cells` as fit into `capacity` bytes. Raises `ValueError` for symbols that no
        page has."""
        written = self._encode(cells, capacity)
        if not isinstance(written, WrittenStream):
            written = self._encode(cells.first(written), capacity)
            assert isinstance(written, WrittenStream)
        return written

    def _encode(self, cells: CodedCells, capacity: int) -> WrittenStream | int:
        """The stream of all `cells`, or how many of them fit."""
        count = len(cells.symbols)
        parts = cells.first(count)
        data = np.zeros(capacity + 8, dtype=np.uint8)
        length = self.library.foxing_encode(
            *(ctypes.byref(self.model), pointer(self.tables.state), RATE, LIMIT),
            *(*_pointers(parts), count, pointer(data), ctypes.c_int64(capacity)),
        )
        if length == _NO_MEMORY:
            raise MemoryError("no memory to code a page")
        if length == _NO_PAGE:
            raise ValueError(NOT_A_PAGE)
        return WrittenStream(data[:length].tobytes(), count) if length >= 0 else -1 - length

    def decode(self, data: bytes, count: int, *, whole: bool = True) -> CodedCells:
        """The inverse of `encode` for a stream that holds `count` cells, or more of which these are the first unless it
        is `whole`. Raises `ValueError` for one that it does not write."""
        cells = CodedCells.empty(count)
        stream = np.frombuffer(data, dtype=np.uint8)
        result = self.library.foxing_decode(
            *(ctypes.byref(self.model), pointer(self.tables.state), RATE, LIMIT),
            *(pointer(stream), ctypes.c_int64(len(data)), *_pointers(cells), count, whole),
        )
        if result == -2:
            raise MemoryError("no memory to decode a page")
        if result:
            raise ValueError("the stream does not decode to a page")
        return cells

    def costs(self, symbols: Symbols, rare: Symbols) -> Symbols:
        """uint16 [N]: what each of the N cells of a page takes, in units of 2^-4 bits; a full-width character takes it
        in its left cell. Raises `ValueError` for symbols that no page has."""
        cells = CodedCells(symbols, rare, np.zeros(len(symbols), dtype=np.uint8)).first(len(symbols))
        result = np.zeros(len(symbols), dtype=np.uint16)
        done = self.library.foxing_costs(
            *(ctypes.byref(self.model), pointer(self.tables.state), RATE, LIMIT),
            *(*_pointers(cells)[:2], len(symbols), pointer(result)),
        )
        if done == -2:
            raise MemoryError("no memory to code a page")
        if done:
            raise ValueError(NOT_A_PAGE)
        return result
