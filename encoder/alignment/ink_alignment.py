"""Alignment of a model's text with the inked cells of a page."""

import numpy as np

from foxing.encoder.contract import UNREADABLE
from foxing.renderer.atlas import load_atlas
from foxing.renderer.marks import FILLER_MARK
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

from .costs import EDIT, MATCH, problem_of
from .dynamic_programming import align
from .page_ink import BLANK_CONFIDENCE, MISFIT, Confidence, Ink
from .symbols import INKED, LETTER, PAPER, Numbers, TextSymbols, page_symbols, text_symbols

#: Maximum characters per cell, and maximum letters per inked cell; text beyond these is ignored.
MAX_CHARACTERS_PER_CELL = 2
MAX_LETTERS_PER_CELL = 1.25
#: Window in letters over which the agreement of words and ink is averaged, and maximum share of disagreements;
#: unrelated text disagrees in about a third.
AGREEMENT_WINDOW = 41
MAX_DISAGREEMENT = 0.12


def place_on_ink(text: str, confidence: Confidence, ink: Ink) -> tuple[Cells, Confidence]:
    """Aligns `text` with the inked cells of a page.

    `confidence`: float32[len(text)]; `ink`: bool[rows, columns]. Returns cells, uint32[rows, columns], and their
    confidence, float32 of the same shape. Letters are assigned to inked cells in order. The best agreement of words,
    line breaks and ink determines which letters have no cell and which cells have no letter, so that a lost or added
    letter does not shift the rest. Ink without text is `UNREADABLE`. The confidence of a word with more or fewer
    letters than cells is reduced, as is that of text that does not fit the ink around it.
    """
    symbols = text_symbols(text[: MAX_CHARACTERS_PER_CELL * ink.size]).head(int(MAX_LETTERS_PER_CELL * ink.sum()) + 1)
    kinds, cells = page_symbols(ink)
    chosen = align(problem_of(symbols, kinds))
    grid = _Grid(ink)
    placed = np.flatnonzero((chosen >= 0) & (symbols.kind == LETTER) & (kinds[chosen] == INKED))
    grid.put(text, confidence, symbols, placed, cells[chosen[placed]])
    grid.misfit[_doubtful(symbols, placed, chosen, kinds, cells)] = True
    return grid.result()


def _doubtful(symbols: TextSymbols, placed: Numbers, chosen: Numbers, kinds: Numbers, cells: Numbers) -> Numbers:
    """Returns int64[k]: cells in words with more or fewer letters than cells, or where words and ink disagree.

    `placed`: int64, letters that have a cell; `chosen`: int64[n], symbol of the page for each symbol of the text, or
    -1; `kinds`, `cells`: see `page_symbols`.
    """
    if not len(placed):
        return placed
    symbols_of_page = cells[chosen[placed]]
    wrong = np.flatnonzero(np.where(chosen < 0, ~symbols.markup, MATCH[symbols.kind, kinds[chosen]] >= EDIT))
    neighbours = np.intersect1d(np.concatenate([wrong - 1, wrong + 1]), placed)  # not letters after a blank
    missing = np.ones(len(kinds), dtype=bool)  # paper inside text that is read as one word
    missing[chosen[chosen >= 0]] = False
    lost = np.searchsorted(chosen[placed], np.flatnonzero(missing & (kinds == PAPER)))
    after = np.searchsorted(placed, wrong)
    faults = np.bincount(after, minlength=len(placed) + 1)[:-1] + np.bincount(lost, minlength=len(placed) + 1)[:-1]
    window = min(AGREEMENT_WINDOW, len(placed))
    disagreement = np.convolve(faults, np.full(window, 1 / window), mode="same")
    doubtful: Numbers = np.concatenate([cells[chosen[neighbours]], symbols_of_page[disagreement > MAX_DISAGREEMENT]])
    return doubtful


class _Grid:
    """Grid that `place_on_ink` fills."""

    def __init__(self, ink: Ink) -> None:
        self.shape = ink.shape
        self.ink = ink.reshape(-1)
        self.cells: Cells = np.full(ink.size, BLANK, dtype=np.uint32)
        self.confidence = np.where(self.ink, np.float32(0), np.float32(BLANK_CONFIDENCE))
        self.misfit = np.zeros(ink.size, dtype=bool)

    def put(self, text: str, confidence: Confidence, symbols: TextSymbols, placed: Numbers, cells: Numbers) -> None:
        """Puts the letters at the indices `placed` of `symbols` into `cells`."""
        for index, cell in zip(symbols.place[placed].tolist(), (cells - symbols.half[placed]).tolist(), strict=True):
            self._set(ord(text[index]), cell, float(confidence[index]))

    def result(self) -> tuple[Cells, Confidence]:
        """Returns cells and confidence; ink without a character becomes `UNREADABLE`."""
        _restore_fillers(self.cells, self.confidence, self.ink, self.shape[1])
        unread = self.ink & (self.cells == BLANK)
        self.cells[unread] = UNREADABLE
        self.confidence[unread] = 0
        words = np.cumsum(np.concatenate([[0], np.diff(self.ink.astype(np.int8)) != 0]))
        misfit = np.isin(words, words[self.misfit | unread]) & (self.cells != BLANK)
        self.confidence[misfit] *= MISFIT
        return self.cells.reshape(self.shape), self.confidence.reshape(self.shape)

    def _set(self, code: int, start: int, confidence: float) -> None:
        """Puts one character at `start` if its cells are free; a full-width one at an even column."""
        if load_atlas().width[code] == 1:
            if self.cells[start] == BLANK:
                self.cells[start] = code
                self.confidence[start] = confidence
            return
        columns = self.shape[1]
        if start % columns % 2:  # the model most likely omitted the filler before it
            start += 1 if start % columns + 1 < columns else -1
        if start >= 0 and (self.cells[start : start + 2] == BLANK).all():
            self.cells[start : start + 2] = code, WIDE_TAIL
            self.confidence[start : start + 2] = confidence


def _restore_fillers(cells: Cells, confidence: Confidence, ink: Ink, columns: int) -> None:
    """Restores, in place, the fillers before full-width characters, which many models omit."""
    wide = np.flatnonzero(cells[1:] == WIDE_TAIL)  # the first halves
    before = wide[wide % columns > 0] - 1
    missed = before[ink[before] & (cells[before] == BLANK)]
    cells[missed] = ord(FILLER_MARK)
    confidence[missed] = confidence[missed + 1]
