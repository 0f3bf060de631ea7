"""Letters of several scripts that are drawn alike: Latin A, Greek Α, Cyrillic А. Their pixels do not say which of them
stands on a page; the other letters of the word do.

Words that hold letters of one script only, as far as those can be told, are of that script: in `пoд` the `o` is
Cyrillic. A word without any such letter keeps what the network saw, unless that is a mixture (`Hа`): then most of its
letters say, or else the words beside it. Greek needs two letters that are Greek for certain, since `ΔT` has a Latin T.
"""

import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from foxing.renderer import Cells, load_atlas

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
GREEK = SCRIPTS.index("GREEK")
LAST = 0x2000  # no letter that has twins in another script lies after it
TOLD = np.array([1, 2, 1])  # letters that a word needs, that can be told, to be of each script

Ints = npt.NDArray[np.int64]


class Scripts:
    """The letters of a repertoire, and which are drawn alike."""

    def __init__(self, characters: Iterable[str]) -> None:
        atlas = load_atlas()
        drawn: dict[bytes, dict[int, int]] = {}
        self._script = np.full(LAST, -1, dtype=np.int8)
        for character in sorted(c for c in characters if ord(c) < LAST and c.isalpha()):
            script = unicodedata.name(character).split(" ")[0]
            if script in SCRIPTS:
                point = ord(character)
                self._script[point] = SCRIPTS.index(script)
                glyph = atlas.halves[atlas.first_half[point]].tobytes()
                drawn.setdefault(glyph, {}).setdefault(SCRIPTS.index(script), point)
        #: of each letter: itself in each script, where that has one that is drawn alike
        self._twins = np.repeat(np.arange(LAST, dtype=np.uint32)[:, None], len(SCRIPTS), axis=1)
        self._alike = np.zeros(LAST, dtype=bool)
        for alike in drawn.values():
            for point in alike.values() if len(alike) > 1 else ():
                self._alike[point] = True
                self._twins[point, list(alike)] = list(alike.values())

    def settled(self, cells: Cells) -> Cells:
        """A page's cells, uint32 [rows, 160], with each word of letters that are drawn alike in one script."""
        points = np.where(cells < LAST, cells, 0).ravel()
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
