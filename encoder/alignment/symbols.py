"""Symbols of the alignment: letters of a text, inked cells of a page, and the blanks between words."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foxing.renderer.atlas import load_atlas

from .page_ink import Ink

#: Symbols of a text: half of a character with ink, a run of blanks, and a run of blanks that contains a line break.
LETTER, BLANKS, BREAK = range(3)
#: Symbols of a page: an inked cell, paper within a row, the end of a row, and the end of a full row, at which a word
#: may continue.
INKED, PAPER, ROW_END, WRAP = range(4)

#: Markup that models add to the text of a page: tables in HTML, numbers in LaTeX, emphasis in Markdown.
MARKUP = re.compile(
    r"</?(?:table|thead|tbody|tr|td|th|caption|br|b|i|u|sub|sup|p|div)\b[^<>\n]{0,80}>"
    r"|\\[()\[\]]|\\(?=[%$&#_{}])|\\(?:mathrm|text|mathbf|textbf|mathit)\s?\{|[\^_]\{|\}|\$\$?|\*\*|^#+ "
    r"|`{1,3}(?:[a-z]+(?=\n))?|\\(?:quad|cdot|[,;! ])",
    re.MULTILINE,
)
#: Maximum score and scale of the scores of `rareness`.
MAX_RARENESS = 40
RARENESS_STEP = 7.0
MAX_CHARACTERS = 509  # hash buckets for characters in `rareness`

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TextSymbols:
    """Symbols of a text, as arrays of length n; a full-width character has two letters."""

    #: int64[n]: `LETTER`, `BLANKS` or `BREAK`.
    kind: Numbers
    #: int64[n]: index of the (first) character of each symbol in the text.
    place: Numbers
    #: int64[n]: 0 or 1, the half of the character.
    half: Numbers
    #: bool[n]: symbols that may be markup that is not on the page, or blanks beside markup.
    markup: Flags
    #: int64[n], 0 to `MAX_RARENESS`: how much more likely the text is without the symbol.
    odd: Numbers
    #: int64[n], 0 to `MAX_RARENESS`: how unlikely the next symbol is after this one.
    gap: Numbers

    def head(self, letters: int) -> "TextSymbols":
        """Returns the symbols up to the given number of letters, markup not counted."""
        stop = int(np.searchsorted(np.cumsum((self.kind == LETTER) & ~self.markup), letters, side="right"))
        return TextSymbols(*(values[:stop] for values in vars(self).values()))


def text_symbols(text: str) -> TextSymbols:
    """Returns the symbols of `text`. Characters without a glyph cannot be on a page and are left out."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    atlas = load_atlas()
    space = np.array([character.isspace() for character in text], dtype=bool)
    width = np.where(space, 1, atlas.width[points]).astype(np.int64)
    place = np.repeat(np.arange(len(points)), width)
    half = np.arange(len(place)) - np.repeat(np.cumsum(width) - width, width)
    glyphs = np.maximum(atlas.first_half[points[place]].astype(np.int64) + half, 0)
    kind = np.where(~space[place] & atlas.halves[glyphs].any(-1), LETTER, BLANKS)
    kind[points[place] == ord("\n")] = BREAK
    marked = np.zeros(len(text), dtype=bool)
    for match in MARKUP.finditer(text):
        marked[match.start() : match.end()] = True
    places, kinds = _collapsed(kind)
    markup = marked[place[places]]
    spaced = np.zeros(len(places) + 2, dtype=bool)
    spaced[:-2] |= markup
    spaced[2:] |= markup
    markup = np.where(kinds == LETTER, markup, spaced[1:-1])
    odd, gap = rareness(np.where(kinds == LETTER, points[place[places]] % MAX_CHARACTERS + 1, 0))
    return TextSymbols(kinds, place[places], half[places], markup, odd, gap)


def _collapsed(kind: Numbers) -> tuple[Numbers, Numbers]:
    """Collapses runs of blanks between letters. Returns the indices of the letters and of the first blank of each run,
    and their kinds; a run with a line break is a `BREAK`."""
    letters = np.flatnonzero(kind == LETTER)
    if not len(letters):
        return letters, letters
    kind = kind[letters[0] : letters[-1] + 1]
    begins = np.flatnonzero((kind == LETTER) | np.concatenate([[True], kind[:-1] == LETTER]))
    return begins + letters[0], np.maximum.reduceat(kind, begins)


def rareness(codes: Numbers) -> tuple[Numbers, Numbers]:
    """Scores symbols by bigram statistics of the text itself. `codes`: int64[n], 0 for blanks.

    Returns two int64[n] from 0 to `MAX_RARENESS`: how much more likely the text is without each symbol, and how
    unlikely the symbol after it is. The ink shows which word lost or gained a letter; these scores locate the letter
    within the word better than chance.
    """
    if len(codes) < 3:
        return np.zeros_like(codes), np.zeros_like(codes)
    size = int(codes.max()) + 1
    left = np.concatenate([[0], codes[:-1]])
    right = np.concatenate([codes[1:], [0]])
    table = np.bincount(codes * size + right, minlength=size * size).astype(np.float64).reshape(size, size)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    score = np.log((table + 0.5) / (expected + 0.5))
    odd = score[left, right] - score[left, codes] - score[codes, right]
    gap = -score[codes, right]
    return np.where(codes > 0, _graded(odd), 0), _graded(gap)


def _graded(values: npt.NDArray[np.float64]) -> Numbers:
    """Quantises scores to integers from 0 to `MAX_RARENESS`."""
    return np.clip(np.round(MAX_RARENESS / 2 + RARENESS_STEP * values), 0, MAX_RARENESS).astype(np.int64)


def page_symbols(ink: Ink) -> tuple[Numbers, Numbers]:
    """Returns the kind and the cell of each symbol of a page, int64[m] each; the cell of a symbol without ink is -1."""
    rows, columns = np.nonzero(ink)
    if not len(rows):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    same_row = rows[1:] == rows[:-1]
    full = (columns[:-1] == ink.shape[1] - 1) & (columns[1:] == 0) & (rows[1:] == rows[:-1] + 1)
    between = np.where(same_row, PAPER, np.where(full, WRAP, ROW_END))
    joined = same_row & (columns[1:] == columns[:-1] + 1)
    kinds = np.full(2 * len(rows) - 1, INKED, dtype=np.int64)
    cells = np.full(2 * len(rows) - 1, -1, dtype=np.int64)
    kinds[1::2] = between
    cells[::2] = rows * ink.shape[1] + columns
    starts = np.concatenate([[True], np.stack([~joined, np.ones_like(joined)], axis=1).reshape(-1)])
    return kinds[starts], cells[starts]
