"""A kernel that codes pages in Python."""

import numpy as np

from foxing.encoder.native.entropy.kernel import (
    LIMIT,
    NOT_A_PAGE,
    RATE,
    CodedCells,
    Kernel,
    Symbols,
    WrittenStream,
)

from .arithmetic_coder import Coder
from .page_coder import PageCoder


class ReferenceKernel(Kernel):
    """See `Kernel`; hundreds of times as slow."""

    @classmethod
    def of(cls, kernel: Kernel) -> "ReferenceKernel":
        """One with the tables of `kernel`."""
        return cls(kernel.tables, kernel.rare_class, kernel.newline)

    def _encode(self, cells: CodedCells, room: int) -> WrittenStream | int:
        count = len(cells.symbols)
        coder = Coder()
        done = self._page_coder(coder).code(*cells.first(count), room)
        if done < 0:
            raise ValueError(NOT_A_PAGE)
        return WrittenStream(bytes(coder.written) + coder.ending(), count) if done == count else done

    def decode(self, data: bytes, count: int, *, whole: bool = True) -> CodedCells:
        cells = CodedCells.empty(count)
        coder = Coder(data)
        done = self._page_coder(coder).code(*cells)
        end = coder.ending()
        ended = not whole or (coder.position - 4 + len(end) == len(data) and data.endswith(end))
        if done != count or not ended:
            raise ValueError("the stream does not decode to a page")
        return cells

    def costs(self, symbols: Symbols, rare: Symbols) -> Symbols:
        cells = CodedCells(symbols, rare, np.zeros(len(symbols), dtype=np.uint8)).first(len(symbols))
        coder = self._page_coder(Coder())
        if coder.code(*cells) != len(symbols):
            raise ValueError(NOT_A_PAGE)
        result = np.zeros(len(symbols), dtype=np.uint16)
        for at, cost in coder.costs.items():
            result[at] = min(cost, np.iinfo(np.uint16).max)
        return result

    def _page_coder(self, coder: Coder) -> PageCoder:
        return PageCoder(self.tables, self.rare_class, self.newline, (RATE, LIMIT), coder)
