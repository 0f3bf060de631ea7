"""Alphabet: pages as symbols, one per cell, out of 416 where a character can begin and 256 where it can only end.

The symbol of a narrow character is its class; a full-width character is a left half (256 and up) and a right half, as
coded by `halves`. A cell of the rare class also has an index into the rare narrow characters.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, N_TAIL, N_VOWEL, Charset
from foxing.renderer import DENSE_PAGE
from foxing.renderer.page import WIDE_TAIL, Cells

from .halves import N_LEFT, N_RIGHT, syllable_halves, wide_halves

COLUMNS = DENSE_PAGE.columns  # 160 cells per row
LEFT = 256  # first symbol that is a left half; smaller symbols are cell classes
N_SYMBOLS = LEFT + N_LEFT

Symbols = npt.NDArray[np.int64]


class SymbolGrid(NamedTuple):
    """Cells as symbols."""

    #: int64, any shape whose last axis is a whole row.
    symbols: Symbols
    #: int64, same shape: index into the rare narrow characters; 0 elsewhere.
    rare: Symbols


def right_halves(symbols: Symbols) -> npt.NDArray[np.bool_]:
    """Returns bool of the same shape: symbols that are right halves, which follow a left half."""
    right = np.zeros(symbols.shape, dtype=bool)
    right[..., 1:] = symbols[..., :-1] >= LEFT
    return right


class Alphabet:
    """Lookup tables that convert cells of typeset pages to symbols and back."""

    def __init__(self, charset: Charset) -> None:
        self.rare_class = charset.rare_class
        self._class = charset.cell_class
        self._rare = charset.list_class
        narrow = [ord(c) for c in charset.common] + [UNREADABLE] * (LEFT - len(charset.common))
        self._common = np.array(narrow, dtype=np.uint32)
        self._rare_points = np.array([ord(c) for c in charset.rare] or [UNREADABLE], dtype=np.uint32)
        full_width = np.array([ord(c) for c in charset.wide + charset.rare_wide], dtype=np.int64)
        halves = np.stack(wide_halves(np.arange(len(full_width))), axis=1)
        syllable = np.arange(HANGUL_LAST + 1 - HANGUL_FIRST)
        lead = syllable // (N_VOWEL * N_TAIL)
        vowel = syllable // N_TAIL % N_VOWEL
        tail = syllable % N_TAIL
        hangul_halves = np.stack(syllable_halves(lead, vowel, tail), axis=1)
        self._halves = np.zeros((0x110000, 2), dtype=np.int16)
        self._halves[full_width] = halves
        self._halves[HANGUL_FIRST : HANGUL_LAST + 1] = hangul_halves
        self._pair = np.full((N_LEFT, N_RIGHT), UNREADABLE, dtype=np.uint32)
        self._pair[halves[:, 0], halves[:, 1]] = full_width
        self._pair[hangul_halves[:, 0], hangul_halves[:, 1]] = np.arange(HANGUL_FIRST, HANGUL_LAST + 1)

    def symbols(self, cells: Cells) -> SymbolGrid:
        """Returns the symbols of `cells`, uint32 of any shape whose last axis is a whole row."""
        symbols, rare = self.narrow_symbols(cells)
        right = cells == WIDE_TAIL
        left = np.zeros_like(right)
        left[..., :-1] = right[..., 1:]
        halves = self._halves[cells[left]]
        symbols[left] = LEFT + halves[:, 0]
        symbols[right] = halves[:, 1]
        return SymbolGrid(symbols, rare)

    def narrow_symbols(self, cells: Cells) -> SymbolGrid:
        """Returns the symbols of narrow characters, uint32 of any shape."""
        symbols = self._class[cells].astype(np.int64)
        return SymbolGrid(symbols, np.where(symbols == self.rare_class, self._rare[cells], 0).astype(np.int64))

    def cells(self, symbols: Symbols, rare: Symbols) -> Cells:
        """Inverts `symbols`; returns uint32 of the same shape. Symbols that form no character become unreadable
        cells."""
        left = symbols >= LEFT
        right = right_halves(symbols)
        cells: Cells = self._common[np.minimum(symbols, LEFT - 1)]
        rare_at = (symbols == self.rare_class) & ~right
        cells[rare_at] = self._rare_points[np.minimum(rare[rare_at], len(self._rare_points) - 1)]
        cells[left] = self._pair[symbols[left] - LEFT, symbols[right]]
        cells[right] = WIDE_TAIL
        return cells
