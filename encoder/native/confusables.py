"""Characters with the same glyph, which pixels alone cannot tell apart.

Of signs with the same glyph (the dashes – ‒ −), and of signs that look like a letter, the codec reads one; the
typesetter writes the others as escapes, so that they decode as themselves.

Of letters with the same glyph (Latin A, Greek Α, Cyrillic А) the rest of the word decides: in `пoд` the `o` is
Cyrillic. Deliberate mixtures stay: `ΔT`, `IPадрес`, `VPNа`. So a word that appears to mix scripts is changed only if
its unambiguous letters are all of one script and at least as many as those to change, and if the changed letters fit
the word: lower case among lower case, or a capital at the start. Greek needs three lower-case letters. A word without
unambiguous letters (`Hа`) takes the script of the adjacent words if those agree.
"""

import unicodedata
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from foxing.renderer import Cells, load_atlas

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
LATIN, GREEK = SCRIPTS.index("LATIN"), SCRIPTS.index("GREEK")
#: Letters treated as signs because more frequent letters share their glyphs: archaic Greek, Macedonian dze, eth.
INFREQUENT_LETTERS = "\u03f9\u03f2\u037f\u03f3\u03fa\u0376\u037b\u03fd\u0405\u0455\u00d0"
TABLE_SIZE = 0x3000  # all narrow characters that share a glyph are below
MIN_GREEK_LETTERS = 3  # lower-case letters that make a word Greek
GREEK_ARTICLES = ("ο", "Ο", "Το", "ΤΟ", "Η")  # all letters ambiguous; Greek between Greek words
MAX_GAP = 2  # cells between adjacent words
ESCAPE_START, ESCAPE_END, MAX_ESCAPE_DIGITS = ord("⟦"), ord("⟧"), 6

Ints = npt.NDArray[np.int64]


def script_of(letter: str) -> int:
    """Index in `SCRIPTS`, or -1 for other characters, modifier letters (ʹ) and `INFREQUENT_LETTERS`."""
    is_letter = letter.isalpha() and unicodedata.category(letter) != "Lm" and letter not in INFREQUENT_LETTERS
    name = unicodedata.name(letter, "").split(" ")[0] if is_letter else ""
    return SCRIPTS.index(name) if name in SCRIPTS else -1


def look_alikes(common: str, rare: str) -> dict[str, str]:
    """Signs and infrequent letters with the glyph of another character → the character that is read instead: a letter
    if there is one, otherwise one of `common` before one of `rare`, technical and modifier characters last."""
    atlas = load_atlas()
    by_glyph: dict[bytes, list[str]] = {}
    for character in common + rare:
        by_glyph.setdefault(atlas.drawing(character), []).append(character)
    result: dict[str, str] = {}
    for alike in by_glyph.values():
        signs = [c for c in alike if script_of(c) < 0]
        read = min(alike, key=lambda c: (script_of(c) < 0, c not in common, _is_special(c), c))
        result.update((sign, read) for sign in signs if sign != read)
    return result


def _is_special(character: str) -> bool:
    """Whether this is a miscellaneous technical sign or a modifier letter."""
    return "\u2300" <= character <= "\u23ff" or unicodedata.category(character) == "Lm"


class ScriptResolver:
    """Decides between the characters of a charset that share a glyph."""

    def __init__(self, common: str, rare: str) -> None:
        self._canonical = np.arange(TABLE_SIZE, dtype=np.uint32)
        for sign, read in look_alikes(common, rare).items():
            self._canonical[ord(sign)] = ord(read)
        by_glyph: dict[bytes, dict[int, int]] = {}
        self._script = np.full(TABLE_SIZE, -1, dtype=np.int8)
        for character in sorted(c for c in common + rare if ord(c) < TABLE_SIZE):
            script, point = script_of(character), ord(character)
            if script >= 0:
                self._script[point] = script
                by_glyph.setdefault(load_atlas().drawing(character), {}).setdefault(script, point)
        #: uint32 [0x3000, 3]: the letter of each script with the same glyph; itself where there is none.
        self._twins = np.repeat(np.arange(TABLE_SIZE, dtype=np.uint32)[:, None], len(SCRIPTS), axis=1)
        self._ambiguous = np.zeros(TABLE_SIZE, dtype=bool)
        for alike in by_glyph.values():
            for point in alike.values() if len(alike) > 1 else ():
                self._ambiguous[point] = True
                self._twins[point, list(alike)] = list(alike.values())

    def resolve(self, cells: Cells) -> Cells:
        """The cells of a page, uint32 [rows, 160], with look-alike signs replaced by the ones that are read, and words
        that appear to mix scripts changed to one where the rules above allow it."""
        low = cells < TABLE_SIZE
        points = self._canonical[np.where(low, cells, 0)]
        result = np.where(low, points, cells)
        points = points.ravel()
        script = self._script[points].astype(np.int64)
        if not (script > 0).any():
            return result
        flat = result.reshape(-1)
        words = _Words(script, self._ambiguous[points])
        for number in words.mixed():
            at = words.cells(number)
            chosen = self._script_of_word(points[at], script[at], words.adjacent_scripts(number))
            if chosen >= 0:
                flat[at] = self._twins[points[at], chosen]
        for number in words.short() if (script == GREEK).any() else ():
            at = words.cells(number)
            greek = self._twins[points[at], GREEK]
            if "".join(map(chr, greek.tolist())) in GREEK_ARTICLES and words.adjacent_scripts(number) == {GREEK}:
                flat[at] = greek
        for digits in _escapes(flat):
            digits[digits < TABLE_SIZE] = self._twins[digits[digits < TABLE_SIZE], LATIN]
        return result

    def _script_of_word(self, points: Cells, script: Ints, adjacent: set[int]) -> int:
        """The script for a word that appears to mix several, or -1 to leave it. `adjacent`: the scripts of the adjacent
        words."""
        certain = ~self._ambiguous[points]
        scripts = set(script[certain].tolist()) or adjacent
        if len(scripts) != 1:
            return -1
        chosen = scripts.pop()
        other = script != chosen
        lower = np.array([chr(point).islower() for point in points.tolist()])
        own = ~other & certain if certain.any() else ~other
        if (self._twins[points[other], chosen] == points[other]).any() or (certain.any() and other.sum() > own.sum()):
            return -1
        if chosen == GREEK and (own & lower).sum() < MIN_GREEK_LETTERS:
            return -1
        fits_case = np.isin(lower, lower[own])
        fits_case[0] |= not lower[0]
        return chosen if fits_case[other].all() else -1


def _escapes(cells: Cells) -> Iterator[Cells]:
    """Views of the digits inside each escape in `cells`, [N]."""
    for start in np.flatnonzero(cells == ESCAPE_START):
        inside = cells[start + 1 : start + 2 + MAX_ESCAPE_DIGITS]
        if ESCAPE_END in inside:
            yield inside[: inside.tolist().index(ESCAPE_END)]


class _Words:
    """The words of a page, runs of letters, by number."""

    def __init__(self, script: Ints, ambiguous: npt.NDArray[np.bool_]) -> None:
        """`script`, [N]: index in `SCRIPTS` of each cell, -1 if not a letter; `ambiguous`, [N]: letters that share the
        glyph of a letter of another script."""
        edges = np.diff(np.pad(script >= 0, 1).astype(np.int8))
        self._starts, self._stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
        self._script, self._ambiguous = script, ambiguous

    def cells(self, number: int) -> slice:
        """The cells of a word."""
        return slice(self._starts[number], self._stops[number])

    def mixed(self) -> Ints:
        """Words that appear to mix scripts."""
        most = np.maximum.reduceat(self._script, self._starts)
        # the non-letters between two words count towards the first of them
        least = np.minimum.reduceat(np.where(self._script < 0, len(SCRIPTS), self._script), self._starts)
        return np.flatnonzero(most != least)

    def short(self) -> Ints:
        """Words of one or two letters."""
        return np.flatnonzero(self._stops - self._starts <= 2)

    def adjacent_scripts(self, number: int) -> set[int]:
        """The scripts of the words directly before and after, leaving out words that mix scripts."""
        found = set()
        for other in (number - 1, number + 1):
            if 0 <= other < len(self._starts):
                first, last = sorted((number, other))
                if self._starts[last] - self._stops[first] <= MAX_GAP:
                    found |= self._single_script(other)
        return found

    def _single_script(self, number: int) -> set[int]:
        at = self.cells(number)
        script, ambiguous = self._script[at], self._ambiguous[at]
        scripts = set(script[~ambiguous].tolist()) or set(script.tolist())
        return scripts if len(scripts) == 1 else set()
