"""Charset: the characters that the native codec reads, loaded from `data/charset.json`.

A pair of cells holds one full-width character or two narrow ones. Both kinds are split into lists by frequency, so that
the softmax over a long list of rare characters is computed only where one of them occurs; Hangul syllables are three
jamo and need no list. Of several symbols with the same glyph (the dashes – ‒ −) the charset contains one, and the
typesetter escapes the others; letters with the same glyph (Latin A, Greek Α, Cyrillic А) are resolved by
`foxing.renderer.Confusables`. `python -m training.native.build_charset` builds a charset.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE
from foxing.renderer.atlas import load_atlas
from foxing.renderer.confusables import Confusables, script_of
from foxing.renderer.page import BLANK, WIDE_TAIL
from foxing.renderer.repertoire import Repertoire

CHARSET_PATH = Path(__file__).parent / "data" / "charset.json"

HANGUL_FIRST = 0xAC00
HANGUL_LAST = 0xD7A3
N_LEAD = 19
N_VOWEL = 21
N_TAIL = 28

#: Letters treated as symbols because more frequent letters share their glyphs: archaic Greek, Macedonian dze, eth.
INFREQUENT_LETTERS = "\u03f9\u03f2\u037f\u03f3\u03fa\u0376\u037b\u03fd\u0405\u0455\u00d0"

_TABLE_SIZE = 0x110000


class Shapes(NamedTuple):
    """Lookup tables between narrow characters and glyphs, int64 each. The glyphs of common characters come first."""

    #: [common]: glyph number of each common character.
    of_common: npt.NDArray[np.int64]
    #: [rare]: glyph number of each rare character.
    of_rare: npt.NDArray[np.int64]
    #: [glyphs]: class of a character with the glyph; `rare_class` if none of them is common.
    symbol: npt.NDArray[np.int64]
    #: [glyphs]: index of that character in `rare`; 0 if it is common.
    rare: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Charset:
    """Characters of a network, by list."""

    #: Narrow characters with a class of their own.
    common: str
    #: All other narrow characters.
    rare: str
    #: Full-width characters with a class of their own, without Hangul.
    wide: str
    #: All other full-width characters, without Hangul.
    rare_wide: str
    #: The most frequent characters of `wide`, for the first lookup.
    frequent_wide: str = ""

    @property
    def n_cell(self) -> int:
        """Number of classes of a cell: the common characters, then `rare_class`, `wide_class`, `hangul_class` and
        `unreadable_class`."""
        return len(self.common) + 4

    @property
    def rare_class(self) -> int:
        """Cell class of rare narrow characters."""
        return len(self.common)

    @property
    def wide_class(self) -> int:
        """Cell class of full-width characters other than Hangul."""
        return len(self.common) + 1

    @property
    def hangul_class(self) -> int:
        """Cell class of Hangul syllables."""
        return len(self.common) + 2

    @property
    def unreadable_class(self) -> int:
        """Cell class of unreadable cells."""
        return len(self.common) + 3

    @property
    def n_wide(self) -> int:
        """Number of classes of a full-width character other than Hangul: `wide`, then `rare_wide_class`."""
        return len(self.wide) + 1

    @property
    def rare_wide_class(self) -> int:
        """Class of the characters in `rare_wide`."""
        return len(self.wide)

    @property
    def n_frequent_wide(self) -> int:
        """Number of classes of the first lookup of a full-width character: `frequent_wide`, then
        `infrequent_wide_class`."""
        return len(self.frequent_wide) + 1

    @property
    def infrequent_wide_class(self) -> int:
        """Class of all other full-width characters in the first lookup."""
        return len(self.frequent_wide)

    @cached_property
    def characters(self) -> str:
        """All characters, Hangul included, for the repertoire of a typesetter; without the keys of `lookalikes`."""
        hangul = "".join(map(chr, range(HANGUL_FIRST, HANGUL_LAST + 1)))
        return self._narrow + self.wide + self.rare_wide + hangul

    @cached_property
    def repertoire(self) -> Repertoire:
        """Repertoire of a typesetter for this charset."""
        return Repertoire(self.characters, confusables=True)

    @cached_property
    def confusables(self) -> Confusables:
        """Rule that resolves `characters` with the same glyph."""
        assert self.repertoire.confusables is not None
        return self.repertoire.confusables

    @cached_property
    def distinct_narrow(self) -> str:
        """Narrow characters, one for each glyph."""
        return distinct_glyphs(self._narrow)

    @property
    def _narrow(self) -> str:
        return "".join(c for c in self.common + self.rare if c not in self.lookalikes)

    @cached_property
    def full_width_signs(self) -> str:
        """Full-width characters that are neither ideographs nor Hangul: kana, emoji and others."""
        return "".join(c for c in self.wide + self.rare_wide if not "\u4e00" <= c <= "\u9fff")

    @cached_property
    def lookalikes(self) -> dict[str, str]:
        """Narrow characters that are not in `characters` → look-alike that is read instead."""
        return lookalikes(self.common, self.rare)

    @cached_property
    def cell_class(self) -> npt.NDArray[np.int16]:
        """int16 [0x110000]: cell value → cell class. Blank cells and tails have the class of the space; characters
        outside the charset have -1."""
        table = np.full(_TABLE_SIZE, -1, dtype=np.int16)
        table[HANGUL_FIRST : HANGUL_LAST + 1] = self.hangul_class
        table[_points(self.common)] = np.arange(len(self.common))
        table[_points(self.rare)] = self.rare_class
        table[_points(self.wide + self.rare_wide)] = self.wide_class
        table[[BLANK, WIDE_TAIL]] = table[0x20]
        table[UNREADABLE] = self.unreadable_class
        return table

    @cached_property
    def list_class(self) -> npt.NDArray[np.int16]:
        """int16 [0x110000]: cell value → index in `rare`, or class of a full-width character; 0 elsewhere."""
        table = np.zeros(_TABLE_SIZE, dtype=np.int16)
        table[_points(self.rare)] = np.arange(len(self.rare))
        table[_points(self.wide)] = np.arange(len(self.wide))
        table[_points(self.rare_wide)] = self.rare_wide_class
        return table

    @cached_property
    def frequent_wide_class(self) -> npt.NDArray[np.int16]:
        """int16 [0x110000]: cell value → index in `frequent_wide`; `infrequent_wide_class` elsewhere."""
        table = np.full(_TABLE_SIZE, self.infrequent_wide_class, dtype=np.int16)
        table[_points(self.frequent_wide)] = np.arange(len(self.frequent_wide))
        return table

    @cached_property
    def frequent_wide_index(self) -> npt.NDArray[np.int64]:
        """int64 [n_frequent_wide]: index in `wide` of each class; 0 for `infrequent_wide_class`."""
        return np.append(self.list_class[_points(self.frequent_wide)], 0).astype(np.int64)

    @cached_property
    def rare_wide_index(self) -> npt.NDArray[np.int16]:
        """int16 [0x110000]: cell value → index in `rare_wide`; 0 elsewhere."""
        table = np.zeros(_TABLE_SIZE, dtype=np.int16)
        table[_points(self.rare_wide)] = np.arange(len(self.rare_wide))
        return table

    @cached_property
    def shapes(self) -> "Shapes":
        """Narrow characters by glyph."""
        glyph = load_atlas().glyph[_points(self.common + self.rare)]
        _, first, shape = np.unique(glyph, return_index=True, return_inverse=True)
        order = np.argsort(first)
        first = first[order]
        shape = np.argsort(order)[shape]
        of_common, of_rare = np.split(shape, [len(self.common)])
        symbol = np.minimum(first, self.rare_class)
        rare = np.maximum(first - len(self.common), 0)
        return Shapes(*(table.astype(np.int64) for table in (of_common, of_rare, symbol, rare)))

    def to_dict(self) -> dict[str, str]:
        """Returns the fields as stored in weights and in `charset.json`, where `frequent_wide` is named "often"."""
        return {
            "common": self.common,
            "rare": self.rare,
            "wide": self.wide,
            "rare_wide": self.rare_wide,
            "often": self.frequent_wide,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, str]) -> Self:
        """Inverts `to_dict`. Raises `TypeError` for unknown or missing fields."""
        names = {"often": "frequent_wide"}
        return cls(**{names.get(name, name): characters for name, characters in fields.items()})


def _points(characters: str) -> list[int]:
    return list(map(ord, characters))


def load_charset(path: Path = CHARSET_PATH) -> Charset:
    """Loads the charset in `path`, by default that of the released weights."""
    return Charset.from_dict(json.loads(path.read_text(encoding="utf-8")))


def distinct_glyphs(characters: str) -> str:
    """Returns `characters` without those that share a glyph with an earlier one, such as Greek Α after Latin A."""
    atlas = load_atlas()
    first: dict[bytes, str] = {}
    for character in characters:
        first.setdefault(atlas.drawing(character), character)
    return "".join(first.values())


def lookalikes(common: str, rare: str) -> dict[str, str]:
    """Returns symbols and infrequent letters that share a glyph with another character → the character that is read
    instead: a letter if there is one, otherwise a character of `common` before one of `rare`, technical and modifier
    characters last."""
    atlas = load_atlas()
    by_glyph: dict[bytes, list[str]] = {}
    for character in common + rare:
        by_glyph.setdefault(atlas.drawing(character), []).append(character)
    result: dict[str, str] = {}
    for group in by_glyph.values():
        signs = [c for c in group if not _is_letter(c)]
        read = min(group, key=lambda c: (not _is_letter(c), c not in common, _is_special(c), c))
        result.update((sign, read) for sign in signs if sign != read)
    return result


def _is_special(character: str) -> bool:
    """Returns whether a character is a miscellaneous technical symbol or a modifier letter."""
    return "\u2300" <= character <= "\u23ff" or unicodedata.category(character) == "Lm"


def _is_letter(character: str) -> bool:
    """Returns whether a character is a letter whose script is resolved by the rest of the word."""
    return script_of(character) >= 0 and character not in INFREQUENT_LETTERS
