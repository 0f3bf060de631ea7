"""Characters that are drawn alike. Their pixels do not say which of them stands on a page.

Of signs that are drawn alike (the dashes – ‒ −), and of signs drawn like a letter, the codec reads one; the typesetter
writes the others as escapes, so that they come back as themselves.

Of letters of several scripts (Latin A, Greek Α, Cyrillic А) the other letters of the word say which it is.

Words that hold letters of one script only, as far as those can be told, are of that script: in `пoд` the `o` is
Cyrillic. A word without any such letter keeps what the network saw, unless that is a mixture (`Hа`): then most of its
letters say, or else the words beside it. Greek needs two letters that are Greek for certain, since `ΔT` has a Latin T.
"""

import unicodedata

import numpy as np
import numpy.typing as npt

from foxing.renderer import Cells, load_atlas

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
GREEK = SCRIPTS.index("GREEK")
LAST = 0x3000  # no narrow character that is drawn like another one lies after it
TOLD = np.array([1, 2, 1])  # letters that a word needs, that can be told, to be of each script

Ints = npt.NDArray[np.int64]


def script_of(letter: str) -> int:
    """Its place in `SCRIPTS`, or -1. Letters that modify others (ʹ) are none."""
    whole = letter.isalpha() and unicodedata.category(letter) != "Lm"
    name = unicodedata.name(letter, "").split(" ")[0] if whole else ""
    return SCRIPTS.index(name) if name in SCRIPTS else -1


def glyph(character: str) -> bytes:
    atlas = load_atlas()
    first, width = atlas.first_half[ord(character)], atlas.width[ord(character)]
    return atlas.halves[first : first + width].tobytes()


def look_alikes(common: str, rare: str) -> dict[str, str]:
    """Signs that are drawn like another character → the one that is read in their place: a letter, else one of `common`
    before one of `rare`, else one that does not stand for technical drawings or phonetics."""
    drawn: dict[bytes, list[str]] = {}
    for character in common + rare:
        drawn.setdefault(glyph(character), []).append(character)
    result: dict[str, str] = {}
    for alike in drawn.values():
        signs = [c for c in alike if script_of(c) < 0]
        read = min(alike, key=lambda c: (script_of(c) < 0, c not in common, _special(c), c))
        result.update((sign, read) for sign in signs if sign != read)
    return result


def _special(character: str) -> bool:
    return "\u2300" <= character <= "\u23ff" or unicodedata.category(character) == "Lm"


class Scripts:
    """The narrow characters of a charset, and which are drawn alike."""

    def __init__(self, common: str, rare: str) -> None:
        self._read = np.arange(LAST, dtype=np.uint32)
        for sign, read in look_alikes(common, rare).items():
            self._read[ord(sign)] = ord(read)
        drawn: dict[bytes, dict[int, int]] = {}
        self._script = np.full(LAST, -1, dtype=np.int8)
        for character in sorted(c for c in common + rare if ord(c) < LAST):
            script, point = script_of(character), ord(character)
            if script >= 0:
                self._script[point] = script
                drawn.setdefault(glyph(character), {}).setdefault(script, point)
        #: of each letter: itself in each script, where that has one that is drawn alike
        self._twins = np.repeat(np.arange(LAST, dtype=np.uint32)[:, None], len(SCRIPTS), axis=1)
        self._alike = np.zeros(LAST, dtype=bool)
        for alike in drawn.values():
            for point in alike.values() if len(alike) > 1 else ():
                self._alike[point] = True
                self._twins[point, list(alike)] = list(alike.values())

    def settled(self, cells: Cells) -> Cells:
        """A page's cells, uint32 [rows, 160], with the signs that are read, and with each word of letters that are
        drawn alike in one script."""
        low = cells < LAST
        points = self._read[np.where(low, cells, 0)]
        cells = np.where(low, points, cells)
        points = points.ravel()
        script = self._script[points].astype(np.int64)
        if not (script > 0).any():
            return cells
        letter = script >= 0
        number = np.cumsum(letter & ~np.pad(letter, (1, 0))[:-1]) - 1
        alike = self._alike[points]
        told = self._counted(number, script, letter & ~alike)
        seen = self._counted(number, script, letter & alike)
        sure = (told >= TOLD) & (told.sum(1, keepdims=True) == told)
        chosen = np.where(sure.any(1), sure.argmax(1), -1)
        mixed = (told.sum(1) == 0) & ((seen > 0).sum(1) > 1)
        if mixed.any():
            most = seen == seen.max(1, keepdims=True)
            plain = np.where(told.sum(1) > 0, told.argmax(1), np.where(mixed, -1, seen.argmax(1)))
            for word in np.flatnonzero(mixed):
                beside = (*plain[word + 1 :][plain[word + 1 :] >= 0][:1], *plain[:word][plain[:word] >= 0][-1:])
                chosen[word] = next((s for s in beside if most[word, s]), most[word].argmax())
        decided = letter & alike
        decided[decided] = chosen[number[decided]] >= 0
        result = cells.copy()
        result.reshape(-1)[decided] = self._twins[points[decided], chosen[number[decided]]]
        return result

    def _counted(self, number: Ints, script: Ints, at: npt.NDArray[np.bool_]) -> Ints:
        """How many of the cells `at` each word has of each script, [words, 3]."""
        words = int(number.max(initial=-1)) + 1
        counts = np.bincount(number[at] * len(SCRIPTS) + script[at], minlength=words * len(SCRIPTS))
        return counts.reshape(words, len(SCRIPTS))
