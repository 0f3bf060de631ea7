"""The characters that are typeset as themselves."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .atlas import load_atlas
from .confusables import Confusables
from .errors import RenderError
from .marks import MARKS, RESERVED

#: How a character is typeset: in one cell, in two, as an escape, or as a mark (newline and tab).
NARROW, WIDE, ESCAPED, MARKED = 1, 2, 3, 4

#: Soft hyphens, joiners, directions, variants and other characters that are not seen, first and last: Unifont has
#: pictures of them, full-width boxes with small letters, which stand apart from their word and are often misread.
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
    """The characters that a codec can decode. All others are typeset as escapes.

    `characters`: the characters as one string, in any order; None for every character with a glyph. `confusables`:
    whether the codec reads what `Confusables` decides wherever several of them share a glyph; the others are then
    typeset as escapes too. Raises `RenderError` if a character has no glyph, or if one that every page needs is
    missing: hexadecimal digits, the space, or a mark.
    """

    #: The characters in the order given; None for every character with a glyph.
    characters: str | None
    #: The rule that decides between characters with the same glyph; None if the codec tells them apart in its own way.
    confusables: Confusables | None
    #: uint8[0x110001]: how each code point is typeset (1 narrow, 2 full-width, 3 escape, 4 mark).
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
        kind[0x7F:0xA0] = ESCAPED  # control characters, although Unifont has pictures of them
        for first, last in _INVISIBLE:
            kind[first : last + 1] = ESCAPED
        kind[[ord(c) for c in RESERVED]] = ESCAPED
        kind[[ord("\n"), ord("\t")]] = MARKED
        self.kind = kind
        self.characters = characters
        self.confusables = None
        if confusables:
            # a sign drawn like a mark would be read as the mark
            marks = [ord(mark) for mark in MARKS]
            like_marks = np.isin(atlas.glyph, atlas.glyph[marks])
            like_marks[marks] = False
            kind[like_marks] = ESCAPED
            self.confusables = Confusables("".join(map(chr, np.flatnonzero(kind <= WIDE).tolist())))


@lru_cache(maxsize=1)
def full_repertoire() -> Repertoire:
    """Every character that has a glyph."""
    return Repertoire()
