"""Repertoire: the characters that are typeset as themselves rather than as escapes."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .atlas import load_atlas
from .confusables import Confusables
from .errors import RenderError
from .marks import MARKS, RESERVED

#: Kinds of characters by typesetting: one cell, two cells, an escape, or a mark (newline and tab).
NARROW = 1
WIDE = 2
ESCAPED = 3
MARKED = 4

#: Ranges, inclusive, of soft hyphens, joiners, direction marks, variation selectors and other invisible characters.
#: Unifont draws them as full-width boxes with small letters, which split words and are often misread.
_INVISIBLE = (
    (0xAD, 0xAD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
)

_REQUIRED = "0123456789ABCDEF " + MARKS  # for headers and escapes


class Repertoire:
    """Characters that a codec can decode. All others are typeset as escapes.

    `characters`: the characters as one string, in any order; None for every character with a glyph. `confusables`:
    whether the codec resolves characters that share a glyph by the rule of `Confusables`; characters that the rule
    would resolve differently are then typeset as escapes too. Raises `RenderError` if a character has no glyph, or if
    a character that every page needs is missing: a hexadecimal digit, the space, or a mark.
    """

    #: The characters in the order given; None for every character with a glyph.
    characters: str | None
    #: Rule that decides between characters with the same glyph; None if the codec distinguishes them by itself.
    confusables: Confusables | None
    #: uint8[0x110001]: kind of each code point (1 narrow, 2 full-width, 3 escape, 4 mark).
    kind: npt.NDArray[np.uint8]

    def __init__(self, characters: str | None = None, *, confusables: bool = False) -> None:
        atlas = load_atlas()
        kind = np.full(len(atlas.width), ESCAPED, dtype=np.uint8)
        if characters is None:
            points = np.flatnonzero(atlas.width)
        else:
            points = np.unique(np.array([ord(c) for c in characters], dtype=np.int64))
            without_glyph = points[atlas.width[points] == 0]
            if len(without_glyph):
                raise RenderError(f"U+{int(without_glyph[0]):04X} is in the repertoire but has no glyph")
        kind[points] = atlas.width[points]
        missing = [c for c in _REQUIRED if kind[ord(c)] != NARROW]
        if missing:
            raise RenderError(f"the repertoire lacks {''.join(missing)!r}, which every page needs; add them")
        kind[0x7F:0xA0] = ESCAPED  # control characters, although Unifont draws them
        for first, last in _INVISIBLE:
            kind[first : last + 1] = ESCAPED
        kind[[ord(c) for c in RESERVED]] = ESCAPED
        kind[[ord("\n"), ord("\t")]] = MARKED
        self.kind = kind
        self.characters = characters
        self.confusables = None
        if confusables:
            # a symbol drawn like a mark would be read as the mark
            marks = [ord(mark) for mark in MARKS]
            like_marks = np.isin(atlas.glyph, atlas.glyph[marks])
            like_marks[marks] = False
            kind[like_marks] = ESCAPED
            self.confusables = Confusables("".join(map(chr, np.flatnonzero(kind <= WIDE).tolist())))


@lru_cache(maxsize=1)
def full_repertoire() -> Repertoire:
    """Returns the repertoire of every character with a glyph."""
    return Repertoire()
