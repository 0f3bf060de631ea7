"""Units of notation, which fade as a whole or not at all: half a formula is worse than none."""

import re
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from .words import Word

_FORMULA = (
    r"\$\$[^$]{1,300}\$\$|(?<![\w$\\])\$(?=[^\s$])[^$\n]{1,200}(?<=[^\s\\])\$(?![\w$])"
    r"|\\\([^\n]{1,200}?\\\)|\\\[[\s\S]{1,300}?\\\]|\\begin\{\w{1,20}\*?\}[\s\S]{1,340}?\\end\{\w{1,20}\*?\}(?:\s{0,3}\\end\{\w{1,20}\*?\}){0,3}"
)
_TABLE_ROW = r"^[ \t]*\|[^\n]{1,300}\|[ \t]*$"
_NODE = r"[\w.]{1,60}(?:[\[({][^\n]{0,80}?[\])}])?"
_EDGE = rf"^[ \t]*{_NODE}[ \t]?(?:-->|---|-\.->|==>|->>|--x|--o|<--|<\|--|\.\.>)[^\n]{{1,200}}$"
_DRAWN = r"^[^\n]{0,150}[\u2500-\u257f][^\n]{0,150}$"
_LABEL = r"^■ image \d[^\n]{0,300}$"
_UNIT = re.compile("|".join((_FORMULA, _TABLE_ROW, _EDGE, _DRAWN, _LABEL)), re.MULTILINE)
#: Signs of a formula: without one, what stands between two dollars with a blank is prose.
_SIGNS = re.compile(r"[\\^_=+*/<>{}]")


def units_of(text: str, words: Sequence[Word], gaps: Collection[int] = ()) -> npt.NDArray[np.int64]:
    """Returns int64[words]: the unit of notation of each word, -1 for a word outside all of them: a formula of LaTeX, a
    row of a table, an edge of a diagram, a line of a box drawing, the label of an image. `gaps`: offsets of gaps in
    `text`; a unit with a gap is none."""
    units = np.full(len(words), -1, dtype=np.int64)
    starts = np.array([word.start for word in words], dtype=np.int64)
    broken = np.array(sorted(gaps), dtype=np.int64)
    number = 0
    for match in _UNIT.finditer(text):
        start, stop = match.span()
        is_amount = match[0][0] == "$" and _SIGNS.search(match[0]) is None and " " in match[0]
        if is_amount or np.searchsorted(broken, start) < np.searchsorted(broken, stop):
            continue
        units[np.searchsorted(starts, start) : np.searchsorted(starts, stop)] = number
        number += 1
    return units
