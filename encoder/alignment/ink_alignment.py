"""A model's text in the cells of a page, by where the page has ink."""

import numpy as np

from foxing.encoder.contract import UNREADABLE
from foxing.renderer import BLANK, WIDE_TAIL, Cells, load_atlas
from foxing.renderer.marks import FILLER_MARK

from .costs import EDIT, MATCH, problem_of
from .dynamic_programming import align
from .page_ink import BLANK_CONFIDENCE, MISFIT, Confidence, Ink
from .symbols import INKED, LETTER, PAPER, Numbers, TextSymbols, page_symbols, text_symbols

#: Text beyond this many characters a cell is not looked at, nor letters beyond this many an inked cell.
MAX_CHARACTERS_PER_CELL = 2
MAX_LETTERS_PER_CELL = 1.25
#: Letters around one within which words and ink are compared, and the share of them that may disagree; where nothing
#: belongs together about a third does.
AGREEMENT_WINDOW = 41
MAX_DISAGREEMENT = 0.12


def place_on_ink(text: str, sure: Confidence, ink: Ink) -> tuple[Cells, Confidence]:
    """`text` as cells uint32[rows, columns], with confidence float32 of the same shape.

    `sure`: float32[len(text)]; `ink`: bool[rows, columns]. Letters go where there is ink, in order; where words, breaks
    and ink agree best decides which letters have no cell and which cells no letter, so that what is lost or added moves
    nothing else. Ink without text is `UNREADABLE`. A word with more or fewer letters than cells loses confidence as a
    whole, and so does text that does not fit its place.
    """
    symbols = text_symbols(text[: MAX_CHARACTERS_PER_CELL * ink.size]).head(int(MAX_LETTERS_PER_CELL * ink.sum()) + 1)
    kinds, cells = page_symbols(ink)
    chosen = align(problem_of(symbols, kinds))
    grid = _Grid(ink)
    placed = np.flatnonzero((chosen >= 0) & (symbols.kind == LETTER) & (kinds[chosen] == INKED))
    grid.put(text, sure, symbols, placed, cells[chosen[placed]])
    grid.misfit[_doubtful(symbols, placed, chosen, kinds, cells)] = True
    return grid.result()


def _doubtful(symbols: TextSymbols, placed: Numbers, chosen: Numbers, kinds: Numbers, cells: Numbers) -> Numbers:
    """int64[k]: cells in words that have more or fewer letters than there are cells, or where words and ink disagree.

    `placed`: int64, the letters that have a cell; `chosen`: int64[n], the symbol of the page of each symbol, or -1;
    `kinds`, `cells`: see `page_symbols`.
    """
    if not len(placed):
        return placed
    found = cells[chosen[placed]]
    wrong = np.flatnonzero(np.where(chosen < 0, ~symbols.markup, MATCH[symbols.kind, kinds[chosen]] >= EDIT))
    beside = np.intersect1d(np.concatenate([wrong - 1, wrong + 1]), placed)  # not what stands after a blank
    missing = np.ones(len(kinds), dtype=bool)  # paper within what is read as one word
    missing[chosen[chosen >= 0]] = False
    lost = np.searchsorted(chosen[placed], np.flatnonzero(missing & (kinds == PAPER)))
    after = np.searchsorted(placed, wrong)
    faults = np.bincount(after, minlength=len(placed) + 1)[:-1] + np.bincount(lost, minlength=len(placed) + 1)[:-1]
    window = min(AGREEMENT_WINDOW, len(placed))
    disagreement = np.convolve(faults, np.full(window, 1 / window), mode="same")
    doubtful: Numbers = np.concatenate([cells[chosen[beside]], found[disagreement > MAX_DISAGREEMENT]])
    return doubtful


class _Grid:
    """The cells of a page while `place_on_ink` fills them."""

    def __init__(self, ink: Ink) -> None:
        self.shape = ink.shape
        self.ink = ink.reshape(-1)
        self.cells: Cells = np.full(ink.size, BLANK, dtype=np.uint32)
        self.confidence = np.where(self.ink, np.float32(0), np.float32(BLANK_CONFIDENCE))
        self.misfit = np.zeros(ink.size, dtype=bool)

    def put(self, text: str, sure: Confidence, symbols: TextSymbols, placed: Numbers, cells: Numbers) -> None:
        """Puts the letters at the indices `placed` of `symbols` into `cells`."""
        for index, cell in zip(symbols.place[placed].tolist(), (cells - symbols.half[placed]).tolist(), strict=True):
            self._set(ord(text[index]), cell, float(sure[index]))

    def result(self) -> tuple[Cells, Confidence]:
        """Cells and confidence; ink without a character becomes `UNREADABLE`."""
        _restore_fillers(self.cells, self.confidence, self.ink, self.shape[1])
        unread = self.ink & (self.cells == BLANK)
        self.cells[unread] = UNREADABLE
        self.confidence[unread] = 0
        words = np.cumsum(np.concatenate([[0], np.diff(self.ink.astype(np.int8)) != 0]))
        misfit = np.isin(words, words[self.misfit | unread]) & (self.cells != BLANK)
        self.confidence[misfit] *= MISFIT
        return self.cells.reshape(self.shape), self.confidence.reshape(self.shape)

    def _set(self, code: int, start: int, sure: float) -> None:
        """Puts one character at `start` if the cells are free; a full-width one at an even column."""
        if load_atlas().width[code] == 1:
            if self.cells[start] == BLANK:
                self.cells[start] = code
                self.confidence[start] = sure
            return
        columns = self.shape[1]
        if start % columns % 2:  # most likely the filler before it was left out
            start += 1 if start % columns + 1 < columns else -1
        if start >= 0 and (self.cells[start : start + 2] == BLANK).all():
            self.cells[start : start + 2] = code, WIDE_TAIL
            self.confidence[start : start + 2] = sure


def _restore_fillers(cells: Cells, confidence: Confidence, ink: Ink, columns: int) -> None:
    """Writes, in place, the fillers before full-width characters, which many models leave out."""
    wide = np.flatnonzero(cells[1:] == WIDE_TAIL)  # the first halves
    before = wide[wide % columns > 0] - 1
    missed = before[ink[before] & (cells[before] == BLANK)]
    cells[missed] = ord(FILLER_MARK)
    confidence[missed] = confidence[missed + 1]
