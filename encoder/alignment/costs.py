"""Edit costs of aligning a text with the ink of a page."""

import numpy as np
import numpy.typing as npt

from .dynamic_programming import AlignmentProblem
from .symbols import BLANKS, BREAK, INKED, LETTER, PAPER, ROW_END, WRAP, TextSymbols

#: Cost of one edit; all costs are integers in units of 1/64 edit.
EDIT = 64
#: Cost of matching each symbol of a text (row) with each symbol of a page (column).
MATCH = np.zeros((3, 4), dtype=np.int32)
MATCH[LETTER, [INKED, PAPER, ROW_END, WRAP]] = 0, EDIT, 2 * EDIT, 3 * EDIT
MATCH[BLANKS, [INKED, PAPER, ROW_END, WRAP]] = EDIT, 0, EDIT // 4, EDIT // 2
MATCH[BREAK, [INKED, PAPER, ROW_END, WRAP]] = 2 * EDIT, EDIT // 2, 0, 0
#: Additional cost of matching symbols that may be markup.
MARKUP = 8
#: Cost of skipping symbols of the text that are not on the page: opening a run, and extending it by one.
SKIP = np.array([96, 64, 64], dtype=np.int32)
SKIP_EXTEND = np.array([12, 8, 8], dtype=np.int32)
#: The same for markup.
SKIP_MARKUP = 1
SKIP_MARKUP_EXTEND = 0
#: Cost of leaving symbols of the page unread, which the text lacks: opening a run, and extending it by one.
UNREAD = np.array([96, 64, 80, 16], dtype=np.int32)
UNREAD_EXTEND = np.array([12, 8, 8, 4], dtype=np.int32)
#: Cost of opening a run beside markup with a symbol that is not ink.
UNREAD_AT_MARKUP = 8


def problem_of(text: TextSymbols, page: npt.NDArray[np.int64]) -> AlignmentProblem:
    """Returns the alignment problem of a text and a page. `page`: int64[m], kinds of the symbols of the page."""
    gaps, gap_kind = np.unique(np.concatenate([[0], np.where(text.markup, -1, text.gap)]), return_inverse=True)
    begin = np.repeat(UNREAD[page][None], len(gaps), axis=0)
    for row, gap in zip(begin, gaps.tolist(), strict=True):
        row[page == INKED] -= max(gap, 0)
        if gap < 0:
            row[page != INKED] = UNREAD_AT_MARKUP
    skip = np.where(text.markup, SKIP_MARKUP, SKIP[text.kind] - text.odd).astype(np.int32)
    skip_extend = np.where(text.markup, SKIP_MARKUP_EXTEND, SKIP_EXTEND[text.kind]).astype(np.int32)
    # a cheap skip must not make the symbol after it cheap to skip
    after_markup = np.flatnonzero(text.markup[:-1] & ~text.markup[1:]) + 1
    skip_extend[after_markup] = skip[after_markup]
    return AlignmentProblem(
        match=np.concatenate([MATCH, MATCH + MARKUP])[:, page],
        kind=text.kind + len(MATCH) * text.markup,
        skip=skip,
        skip_extend=skip_extend,
        unread=begin,
        unread_kind=gap_kind,
        unread_extend=UNREAD_EXTEND[page],
    )
