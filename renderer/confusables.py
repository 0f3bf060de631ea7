"""Resolution of characters with the same glyph (Latin A, Greek Α, Cyrillic А).

The pixels of such a letter do not determine its script, so a rule derives the script from the surrounding shapes. The
typesetter and the codec use the same rule: the typesetter writes an escape for every character that the rule would
resolve differently, and the codec applies the rule to the shapes that it recognised. A page therefore reads as it was
typeset if its shapes are recognised correctly.

The rule depends on shapes alone, and treats an escape as the shape of its character. Replacing a character by a
look-alike or by its escape therefore changes no other reading. Context ends at the message.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .atlas import load_atlas
from .marks import ESCAPE_CLOSE, ESCAPE_OPEN, FILLER_MARK, MESSAGE_MARK, NEWLINE_MARK, THREAD_MARK
from .page import BLANK, WIDE_TAIL, Cells

#: Scripts that the rule distinguishes. The first is the default.
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")
_ALL_BITS = (1 << len(SCRIPTS)) - 1

#: Symbols of code: directly before or after a word of ambiguous letters, they make it Latin.
_CODE_BEFORE = "`[{<_=/\\$@|0123456789"
_CODE_AFTER = "`[_=/\\+0123456789"
_CODE_BORDER = ord("`")
_CODE_BORDER_WIDTH = 20  # cells that a border counts as, so that words on the same side are preferred
_MIN_CAPITALS = 2  # letters of an abbreviation

_GAPS = np.array([BLANK, 0x20, ord(NEWLINE_MARK)], dtype=np.uint32)
_OPAQUE = 0x110000  # in a view, an escape whose character has no look-alike
_TABLE_SIZE = 0x110001
_HEX_DIGITS = frozenset("0123456789ABCDEF")
_MAX_ESCAPE_DIGITS = 6

_Bits = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

#: By script bits: whether exactly one is set, and the index of the lowest one (0 if none is).
_IS_ONE = np.array([bits.bit_count() == 1 for bits in range(_ALL_BITS + 1)])
_LOWEST = np.array([max(0, (bits & -bits).bit_length() - 1) for bits in range(_ALL_BITS + 1)], dtype=np.int64)


def script_of(character: str) -> int:
    """Returns the index in `SCRIPTS` of the script of a letter; -1 for other characters and modifier letters (ʹ)."""
    if not character.isalpha() or unicodedata.category(character) == "Lm":
        return -1
    name = unicodedata.name(character, "").split(" ")[0]
    return SCRIPTS.index(name) if name in SCRIPTS else -1


@dataclass(frozen=True)
class _View:
    """Input of the rule, M characters: no fillers, and one character per run of blanks or escape."""

    #: uint32 [M]: characters, one representative per glyph.
    values: Cells
    #: int64 [M]: cell of each character.
    places: _Ints
    #: bool [M]: runs of blanks and escapes, which stand for several cells.
    escapes: _Flags


@dataclass(frozen=True)
class _Alike:
    """Code points with the same glyph, inside (at least one) and outside the repertoire, sorted."""

    inside: list[int]
    outside: list[int]


class Confusables:
    """Characters of a repertoire that share a glyph, and the rule that decides between them."""

    def __init__(self, characters: str) -> None:
        """`characters`: the repertoire, in any order. A character outside it resolves to the look-alike inside it."""
        #: uint8 [0x110001]: code point → bits of the scripts that have its glyph; 0 unless it is a letter of `SCRIPTS`.
        self._scripts = np.zeros(_TABLE_SIZE, dtype=np.uint8)
        #: int16 [0x110001]: code point → row of `_readings`; 0 for a character without a look-alike.
        self._group = np.zeros(_TABLE_SIZE, dtype=np.int16)
        #: bool [0x110001]: characters that resolve to themselves where all letters are Latin.
        self._plain = np.ones(_TABLE_SIZE, dtype=bool)
        #: bool [0x110001]: capital letters.
        self._capital = np.zeros(_TABLE_SIZE, dtype=bool)
        readings = [[0] * len(SCRIPTS)]
        for character in characters:
            script = script_of(character)
            if script >= 0:
                self._scripts[ord(character)] = 1 << script
                self._plain[ord(character)] = script == 0
                self._capital[ord(character)] = character.isupper()
        for group in _same_glyphs(characters):
            readings.append(self._add_group(group, len(readings)))
        #: uint32 [groups, scripts]: the character that each glyph resolves to in each script.
        self._readings = np.array(readings, dtype=np.uint32)
        self._plain[ord(ESCAPE_OPEN)] = False
        self._first_not_plain = int(np.argmin(self._plain))

    def _add_group(self, group: _Alike, number: int) -> list[int]:
        """Registers group `number`, and returns the character that its glyph resolves to in each script."""
        by_script: dict[int, int] = {}
        for point in group.inside:
            by_script.setdefault(script_of(chr(point)), point)
        letters = {script: point for script, point in by_script.items() if script >= 0}
        default = letters[min(letters)] if letters else group.inside[0]
        points = [*group.inside, *group.outside]
        self._scripts[points] = sum(1 << script for script in letters)
        self._group[points] = number
        self._capital[points] = chr(default).isupper()
        self._plain[points] = False
        self._plain[default] = not letters or 0 in letters
        return [letters.get(script, default) for script in range(len(SCRIPTS))]

    def plain(self, cells: Cells) -> bool:
        """Returns whether `cells`, uint32 of any shape, have only Latin letters and are canonical: a cheap test."""
        if not cells.size or int(cells.max()) < self._first_not_plain:
            return True
        return bool(self._plain[cells].all())

    def ambiguous(self, points: Cells) -> _Flags:
        """Returns bool [N]: which of `points`, uint32 [N], can resolve to another character in some context."""
        group = self._group[points]
        flags: _Flags = (group > 0) & (self._readings[group] != points[:, None]).any(axis=1)
        return flags

    def canonical(self, cells: Cells) -> Cells:
        """Applies the rule to `cells`, uint32: a whole page, or a message with its header.

        Returns cells of the same shape in which each cell whose glyph is shared holds the character that the rule
        decides on; digits of escapes are Latin. All other cells are unchanged.
        """
        if self.plain(cells):
            return cells
        shapes = self._shapes(cells)  # also for blanks, which have no script
        flat = shapes.reshape(-1)
        view = self._view(flat)
        script = self._decide(view.values)
        at = (self._group[view.values] > 0) & ~view.escapes
        flat[view.places[at]] = self._readings[self._group[view.values[at]], script[at]]
        return shapes

    def certainty(self, cells: Cells, confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns `confidence`, float32 of the shape of `cells`, with that of each ambiguous letter limited by the
        letters of its word that determine the script: by the most confident of them if they agree, else by the
        least confident."""
        flat = cells.reshape(-1)
        sure = confidence.reshape(-1)
        scripts = self._scripts[flat]
        letters = scripts > 0
        telling = _IS_ONE[scripts]
        ambiguous = letters & ~telling
        if self.plain(cells) or not ambiguous.any():
            return confidence
        starts = np.flatnonzero(letters & ~np.pad(letters, (1, 0))[:-1])
        maximum = np.maximum.reduceat(np.where(telling, sure, np.float32(0)), starts)
        minimum = np.minimum.reduceat(np.where(telling, sure, np.float32(1)), starts)
        agree = np.bitwise_and.reduceat(np.where(letters, scripts, np.uint8(_ALL_BITS)), starts) > 0
        by_word = np.where(np.logical_or.reduceat(telling, starts), np.where(agree, maximum, minimum), np.float32(1))
        word = np.searchsorted(starts, np.flatnonzero(ambiguous), side="right") - 1
        result = sure.copy()
        result[ambiguous] = np.minimum(sure[ambiguous], by_word[word])
        return result.reshape(confidence.shape)

    def _shapes(self, cells: Cells) -> Cells:
        """Returns a copy of `cells` with one representative per glyph, the Latin character if there is one."""
        group = self._group[cells]
        shapes: Cells = np.where(group > 0, self._readings[group, 0], cells)
        return shapes

    def _view(self, shapes: Cells) -> _View:
        places = np.flatnonzero((shapes != WIDE_TAIL) & (shapes != ord(FILLER_MARK)))
        values = shapes[places]
        keep = np.ones(len(values), dtype=bool)
        escapes = np.zeros(len(values), dtype=bool)
        for start in np.flatnonzero(values == ord(ESCAPE_OPEN)).tolist():
            digits = _escape_digits(values[start + 1 : start + _MAX_ESCAPE_DIGITS + 2])
            if digits:
                values[start] = self._shape_of_escaped(int(digits, 16))
                escapes[start] = True
                keep[start + 1 : start + 2 + len(digits)] = False
        values = values[keep]
        places = places[keep]
        escapes = escapes[keep]
        gap = np.isin(values, _GAPS)
        values[gap] = 0x20
        # a run of blanks counts as one character, so that its width in the layout does not matter
        keep = np.pad(~(gap[1:] & gap[:-1]), (1, 0), constant_values=True)
        return _View(values[keep], places[keep], (escapes | gap)[keep])

    def _shape_of_escaped(self, point: int) -> int:
        """Returns the shape of an escaped character that has look-alikes, else `_OPAQUE`."""
        group = self._group[point] if point < _OPAQUE else 0
        return int(self._readings[group, 0]) if group else _OPAQUE

    def _decide(self, values: Cells) -> _Ints:
        """Returns int64 [M]: index in `SCRIPTS` of the script of each letter of a view; 0 elsewhere."""
        scripts = self._scripts[values]
        script = np.zeros(len(values), dtype=np.int64)
        letters = scripts > 0
        if not letters.any():
            return script
        words = _Words(values, scripts, self._capital[values])
        number = np.cumsum(words.begins) - 1  # of the word of each letter
        script[letters] = words.script()[number[letters]]
        mixed = letters & (words.common[np.maximum(number, 0)] == 0)
        if mixed.any():
            at = np.flatnonzero(mixed)
            script[at] = _LOWEST[scripts[_nearest_in_word(at, np.flatnonzero(mixed & _IS_ONE[scripts]), number)]]
        missing = letters & (scripts >> script & 1 == 0)
        script[missing] = _LOWEST[scripts[missing]]
        return script


def _escape_digits(after: Cells) -> str:
    """Returns the digits between the start of an escape and its end within `after`; empty if this is not an escape."""
    digits, close, _ = "".join(map(chr, after.tolist())).partition(ESCAPE_CLOSE)
    return digits if close and _HEX_DIGITS.issuperset(digits) else ""


def _nearest_in_word(at: _Ints, certain: _Ints, number: _Ints) -> _Ints:
    """Returns, for each letter in `at`, the last of the letters `certain` up to it in its word, else the first after
    it, else itself. `number`: word number of each letter."""
    if not len(certain):
        return at
    after = np.searchsorted(certain, at, side="right")
    before = certain[np.maximum(after - 1, 0)]
    following = certain[np.minimum(after, len(certain) - 1)]
    nearest = np.where((after > 0) & (number[before] == number[at]), before, following)
    return np.where(number[nearest] == number[at], nearest, at)


class _Words:
    """Words of a view, runs of letters, and the features that decide their scripts."""

    def __init__(self, values: Cells, scripts: _Bits, capital: _Flags) -> None:
        """[M] each: characters, script bits, and flags of capital letters."""
        letters = scripts > 0
        edges = np.diff(np.pad(letters, 1).astype(np.int8))
        self._starts = np.flatnonzero(edges > 0)
        self._stops = np.flatnonzero(edges < 0)
        #: bool [M]: first letters of words.
        self.begins = edges[:-1] > 0
        #: uint8 [words]: bits of the scripts that contain all letters of the word.
        self.common = np.bitwise_and.reduceat(np.where(letters, scripts, np.uint8(_ALL_BITS)), self._starts)
        lower = np.add.reduceat((letters & ~capital).astype(np.int64), self._starts)
        self._abbreviation = (lower == 0) & (self._stops - self._starts >= _MIN_CAPITALS)
        before = np.pad(values, (1, 0))[self._starts]
        self._in_code = _is_in_code(values, letters, self._starts, self._stops)
        marks = np.isin(values, _points(MESSAGE_MARK + THREAD_MARK))
        self._message = np.cumsum(marks)[self._starts]
        # roles are Latin in messages of any language
        self._decided = _IS_ONE[self.common] & (before != ord(MESSAGE_MARK))
        self._position = np.cumsum(np.where(values == _CODE_BORDER, _CODE_BORDER_WIDTH, 1))

    def script(self) -> _Ints:
        """Returns int64 [words]: index in `SCRIPTS` of the script of each word; undefined for a word whose letters have
        no script in common."""
        nearest = self._nearest_decided()
        chosen = np.where(nearest >= 0, _LOWEST[self.common[nearest]], 0)
        chosen[self._in_code | (self._abbreviation & ~((nearest >= 0) & self._abbreviation[nearest]))] = 0
        alone = _IS_ONE[self.common]
        chosen[alone] = _LOWEST[self.common[alone]]
        return chosen

    def _nearest_decided(self) -> _Ints:
        """Returns int64 [words]: the nearest word of the same message whose own letters determine its script, the later
        one in a tie; -1 if there is none."""
        number = np.arange(len(self._starts))
        last = np.maximum.accumulate(np.where(self._decided, number, -1))
        first = np.minimum.accumulate(np.where(self._decided, number, len(number))[::-1])[::-1]
        first[first == len(number)] = -1
        for scripts in (last, first):
            scripts[(scripts >= 0) & (self._message[scripts] != self._message)] = -1
        before = self._position[self._starts] - self._position[self._stops[last] - 1]
        after = self._position[self._starts[first]] - self._position[self._stops - 1]
        return np.where((last >= 0) & ((first < 0) | (before < after)), last, first)


def _is_in_code(values: Cells, letters: _Flags, starts: _Ints, stops: _Ints) -> _Flags:
    """Returns bool [words]: words next to symbols of code."""
    padded = np.pad(values, (2, 1))
    before = padded[starts + 1]
    after = padded[stops + 2]
    option = (before == ord("-")) & ~np.pad(letters, (2, 0))[starts]  # as in `-p`
    flags: _Flags = option | np.isin(before, _points(_CODE_BEFORE)) | np.isin(after, _points(_CODE_AFTER))
    return flags


def _points(characters: str) -> Cells:
    return np.array([ord(character) for character in characters], dtype=np.uint32)


def _same_glyphs(characters: str) -> Iterable[_Alike]:
    """Groups the characters that share the glyph of one of `characters`, where there are several."""
    glyph = load_atlas().glyph
    inside = np.zeros(_TABLE_SIZE, dtype=bool)
    inside[_points(characters)] = True
    points = np.flatnonzero(glyph >= 0)
    control = (points < 0x20) | ((points >= 0x7F) & (points < 0xA0))
    points = points[inside[points] | ~control]
    numbers = glyph[points]
    shared = (np.bincount(numbers) > 1) & (np.bincount(numbers, inside[points]) > 0)
    result: dict[int, _Alike] = {}
    for point in points[shared[numbers]].tolist():
        group = result.setdefault(int(glyph[point]), _Alike([], []))
        (group.inside if inside[point] else group.outside).append(point)
    return result.values()
