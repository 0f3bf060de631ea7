"""Characters that are drawn alike. Their pixels do not say which of them stands on a page.

Of signs that are drawn alike (the dashes – ‒ −), and of signs drawn like a letter, the codec reads one; the typesetter
writes the others as escapes, so that they come back as themselves.

Of letters of several scripts (Latin A, Greek Α, Cyrillic А) the other letters of the word say which it is: in `пoд` the
`o` is Cyrillic. What people write on purpose stays: `ΔT`, `IPадрес`, `VPNа`. So a word that seems to mix scripts is
mended only where the letters that can be told are all of one script and no fewer than those to be changed, and where
these look like part of the word, small among small ones or a capital at its beginning; Greek needs three small letters.
Where no letter can be told (`Hа`), the words right beside it have to agree.
"""

import unicodedata

import numpy as np
import numpy.typing as npt

from foxing.renderer import Cells, load_atlas

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
LATIN, GREEK = SCRIPTS.index("LATIN"), SCRIPTS.index("GREEK")
#: Letters of a few languages of the past, Macedonian dze and Icelandic eth, beside letters that many texts have.
SELDOM = "\u03f9\u03f2\u037f\u03f3\u03fa\u0376\u037b\u03fd\u0405\u0455\u00d0"
LAST = 0x3000  # no narrow character that is drawn like another one lies after it
GREEK_TOLD = 3  # small letters that make a word Greek
GREEK_WORDS = ("ο", "Ο", "Το", "ΤΟ", "Η")  # articles without a letter that can be told, Greek among Greek words
BESIDE = 2  # cells from one word to the next, at most, for the one to tell of the other
OPENING, CLOSING, ESCAPED = ord("⟦"), ord("⟧"), 6  # signs around an escape, and its digits at most

Ints = npt.NDArray[np.int64]


def script_of(letter: str) -> int:
    """Its place in `SCRIPTS`, or -1. Letters that modify others (ʹ) and `SELDOM` ones are none."""
    whole = letter.isalpha() and unicodedata.category(letter) != "Lm" and letter not in SELDOM
    name = unicodedata.name(letter, "").split(" ")[0] if whole else ""
    return SCRIPTS.index(name) if name in SCRIPTS else -1


def look_alikes(common: str, rare: str) -> dict[str, str]:
    """Signs, and letters that hardly any text has, that are drawn like another character → the one that is read in
    their place: a letter, else one of `common` before one of `rare`, else one that does not stand for technical
    drawings or phonetics."""
    atlas = load_atlas()
    drawn: dict[bytes, list[str]] = {}
    for character in common + rare:
        drawn.setdefault(atlas.drawing(character), []).append(character)
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
                drawn.setdefault(load_atlas().drawing(character), {}).setdefault(script, point)
        #: of each letter: itself in each script, where that has one that is drawn alike
        self._twins = np.repeat(np.arange(LAST, dtype=np.uint32)[:, None], len(SCRIPTS), axis=1)
        self._alike = np.zeros(LAST, dtype=bool)
        for alike in drawn.values():
            for point in alike.values() if len(alike) > 1 else ():
                self._alike[point] = True
                self._twins[point, list(alike)] = list(alike.values())

    def settled(self, cells: Cells) -> Cells:
        """A page's cells, uint32 [rows, 160], with the signs that are read, and words in one script where they are."""
        low = cells < LAST
        points = self._read[np.where(low, cells, 0)]
        result = np.where(low, points, cells)
        points = points.ravel()
        script = self._script[points].astype(np.int64)
        if not (script > 0).any():
            return result
        flat = result.reshape(-1)
        words = _Words(script, self._alike[points])
        for number in words.mixed():
            at = slice(words.starts[number], words.stops[number])
            chosen = self._script_of_word(points[at], script[at], words.beside(number))
            if chosen >= 0:
                flat[at] = self._twins[points[at], chosen]
        for number in words.short() if (script == GREEK).any() else ():
            at = slice(words.starts[number], words.stops[number])
            greek = self._twins[points[at], GREEK]
            if "".join(map(chr, greek.tolist())) in GREEK_WORDS and words.beside(number) == {GREEK}:
                flat[at] = greek
        for start in np.flatnonzero(flat == OPENING):
            inside = flat[start + 1 : start + 2 + ESCAPED]
            if CLOSING in inside:
                digits = inside[: inside.tolist().index(CLOSING)]
                digits[digits < LAST] = self._twins[digits[digits < LAST], LATIN]
        return result

    def _script_of_word(self, points: Cells, script: Ints, beside: set[int]) -> int:
        """The script that a word of several should be in, or -1 where it stays as it is. `beside`: the scripts of the
        words right beside it."""
        told = ~self._alike[points]
        scripts = set(script[told].tolist()) or beside
        if len(scripts) != 1:
            return -1
        chosen = scripts.pop()
        other = script != chosen
        small = np.array([chr(point).islower() for point in points.tolist()])
        own = ~other & told if told.any() else ~other
        if (self._twins[points[other], chosen] == points[other]).any() or (told.any() and other.sum() > own.sum()):
            return -1
        if chosen == GREEK and (own & small).sum() < GREEK_TOLD:
            return -1
        alike_in_case = np.isin(small, small[own])
        alike_in_case[0] |= not small[0]
        return chosen if alike_in_case[other].all() else -1


class _Words:
    """Runs of letters on a page. `script`: [N], of each cell, -1 for what is no letter; `alike`: which letters are
    drawn like one of another script."""

    def __init__(self, script: Ints, alike: npt.NDArray[np.bool_]) -> None:
        edges = np.diff(np.pad(script >= 0, 1).astype(np.int8))
        self.starts, self.stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
        self._script, self._alike = script, alike

    def mixed(self) -> Ints:
        """The numbers of the words that seem to be of several scripts."""
        most = np.maximum.reduceat(self._script, self.starts)
        # words end in what is no letter, which belongs to no word
        least = np.minimum.reduceat(np.where(self._script < 0, len(SCRIPTS), self._script), self.starts)
        return np.flatnonzero(most != least)

    def short(self) -> Ints:
        """The numbers of the words of one letter or two."""
        return np.flatnonzero(self.stops - self.starts <= 2)

    def beside(self, number: int) -> set[int]:
        """The scripts of the words right before and after one, as far as each is of one."""
        found = set()
        for other in (number - 1, number + 1):
            if 0 <= other < len(self.starts):
                first, last = sorted((number, other))
                if self.starts[last] - self.stops[first] <= BESIDE:
                    found |= self._of(other)
        return found

    def _of(self, number: int) -> set[int]:
        at = slice(self.starts[number], self.stops[number])
        script, alike = self._script[at], self._alike[at]
        scripts = set(script[~alike].tolist()) or set(script.tolist())
        return scripts if len(scripts) == 1 else set()
