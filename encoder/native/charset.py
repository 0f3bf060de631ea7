"""The characters that the native codec reads, as data: `data/charset.json` beside the weights.

A pair of cells is one full-width character or two narrow ones. Both kinds are split in lists, so that the softmax over
a long list of rare ones is only taken where one of them stands; Hangul syllables are three jamo and need no list. A
character that looks exactly like another full-width one (the compatibility ideographs of KS X 1001) is left out, and of
narrow signs that look alike one is read: no reader could tell them apart, so the typesetter escapes the others.

    python -m foxing.encoder.native.charset train/*.jsonl.gz     # counts, and writes data/charset.json
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE
from foxing.renderer import BLANK, RESERVED, WIDE_TAIL, load_atlas

from .confusables import look_alikes

CHARSET_PATH = Path(__file__).parent / "data" / "charset.json"

HANGUL_FIRST, HANGUL_LAST = 0xAC00, 0xD7A3
N_LEAD, N_VOWEL, N_TAIL = 19, 21, 28

_TABLE_SIZE = 0x110000

#: Unicode blocks whose characters with a glyph belong to the charset.
BLOCKS = (
    (0x20, 0x17F),  # ASCII, Latin-1, Latin Extended-A
    (0x192, 0x192),
    (0x1A0, 0x1A1),
    (0x1AF, 0x1B0),
    (0x1CD, 0x1DC),
    (0x218, 0x21B),
    (0x2C6, 0x2DD),
    (0x370, 0x3FF),  # Greek
    (0x400, 0x45F),  # Cyrillic
    (0x490, 0x491),
    (0x1100, 0x1112),
    (0x1E80, 0x1E85),
    (0x1EA0, 0x1EF9),  # Vietnamese
    (0x2010, 0x2027),  # punctuation
    (0x2030, 0x203E),
    (0x2070, 0x209C),  # superscripts, subscripts
    (0x20A0, 0x20BF),  # currency
    (0x2100, 0x214F),  # letterlike
    (0x2150, 0x218B),  # fractions, Roman numerals
    (0x2190, 0x21FF),  # arrows
    (0x2200, 0x22FF),  # mathematics
    (0x2300, 0x23FF),
    (0x2460, 0x24FF),
    (0x2500, 0x25FF),  # box drawing, blocks, geometric shapes
    (0x2600, 0x27BF),  # symbols, dingbats
    (0x27E6, 0x27EF),
    (0x2B00, 0x2B5F),
    (0x3001, 0x303F),  # CJK punctuation
    (0x3041, 0x30FF),  # kana
    (0x3105, 0x3129),  # Bopomofo
    (0x3131, 0x318E),  # compatibility jamo
    (0x3200, 0x32FF),
    (0x3371, 0x33DF),
    (0xFE0F, 0xFE0F),
    (0x200D, 0x200D),
    (0xFF01, 0xFF9F),  # full-width and half-width forms
    (0xFFE0, 0xFFE6),
    (0x1F300, 0x1F64F),  # emoji
    (0x1F680, 0x1F6FF),
    (0x1F900, 0x1F9FF),
)
#: Character sets whose ideographs belong to the charset, by the names of Python's codecs.
IDEOGRAPH_SETS = ("gb2312", "euc_jp", "euc_kr")
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0xF900, 0xFAFF))
N_COMMON = 252  # with the classes for rare, full-width, Hangul and unreadable: 256
N_WIDE = 3071  # with the class for rare: 3072
N_OFTEN = 767  # with the class for the others: 768


@dataclass(frozen=True)
class Charset:
    """`common` and `rare`: the narrow characters; `wide` and `rare_wide`: the full-width ones that are not Hangul;
    `often`: those of `wide` that most texts are made of."""

    common: str
    rare: str
    wide: str
    rare_wide: str
    often: str = ""

    @property
    def n_cell(self) -> int:
        """Classes of a cell: the common characters, then `rare_class`, `wide_class`, `hangul_class` and
        `unreadable_class`."""
        return len(self.common) + 4

    @property
    def rare_class(self) -> int:
        return len(self.common)

    @property
    def wide_class(self) -> int:
        return len(self.common) + 1

    @property
    def hangul_class(self) -> int:
        return len(self.common) + 2

    @property
    def unreadable_class(self) -> int:
        return len(self.common) + 3

    @property
    def n_wide(self) -> int:
        """Classes of a full-width character that is no Hangul syllable: `wide`, then `rare_wide_class`."""
        return len(self.wide) + 1

    @property
    def rare_wide_class(self) -> int:
        return len(self.wide)

    @property
    def n_often(self) -> int:
        """Classes of a full-width character at first sight: `often`, then `seldom_class`."""
        return len(self.often) + 1

    @property
    def seldom_class(self) -> int:
        return len(self.often)

    @cached_property
    def characters(self) -> str:
        """All characters, Hangul included, as the repertoire of a typesetter: without the signs that are drawn like
        another character."""
        hangul = "".join(map(chr, range(HANGUL_FIRST, HANGUL_LAST + 1)))
        narrow = "".join(c for c in self.common + self.rare if c not in self.look_alikes)
        return narrow + self.wide + self.rare_wide + hangul

    @cached_property
    def told(self) -> str:
        """The narrow characters that can be told from one another without what stands beside them."""
        return told_apart("".join(c for c in self.common + self.rare if c not in self.look_alikes))

    @cached_property
    def full_width_signs(self) -> str:
        """The full-width characters that are neither ideographs nor Hangul: kana, emoji and others."""
        return "".join(c for c in self.wide + self.rare_wide if not "\u4e00" <= c <= "\u9fff")

    @cached_property
    def look_alikes(self) -> dict[str, str]:
        """Characters that are no part of `characters` → what is read in their place."""
        return look_alikes(self.common, self.rare)

    @cached_property
    def cell_class(self) -> npt.NDArray[np.int16]:
        """int16[0x110000]: cell value → class of the cell; blank cells and tails read as a space; -1 outside."""
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
        """int16[0x110000]: cell value → index in `rare`, or class of a full-width character; 0 elsewhere."""
        table = np.zeros(_TABLE_SIZE, dtype=np.int16)
        table[_points(self.rare)] = np.arange(len(self.rare))
        table[_points(self.wide)] = np.arange(len(self.wide))
        table[_points(self.rare_wide)] = self.rare_wide_class
        return table

    @cached_property
    def often_class(self) -> npt.NDArray[np.int16]:
        """int16[0x110000]: cell value → index in `often`, or `seldom_class`."""
        table = np.full(_TABLE_SIZE, self.seldom_class, dtype=np.int16)
        table[_points(self.often)] = np.arange(len(self.often))
        return table

    @cached_property
    def often_places(self) -> npt.NDArray[np.int64]:
        """Class of `often` → index in `wide`; 0 for `seldom_class`."""
        return np.append(self.list_class[_points(self.often)], 0).astype(np.int64)

    @cached_property
    def rare_wide_index(self) -> npt.NDArray[np.int16]:
        """int16[0x110000]: cell value → index in `rare_wide`; 0 elsewhere."""
        table = np.zeros(_TABLE_SIZE, dtype=np.int16)
        table[_points(self.rare_wide)] = np.arange(len(self.rare_wide))
        return table

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**fields)


def _points(characters: str) -> list[int]:
    return list(map(ord, characters))


def load_charset(path: Path = CHARSET_PATH) -> Charset:
    return Charset.from_dict(json.loads(path.read_text(encoding="utf-8")))


def told_apart(characters: str) -> str:
    """`characters` without those that are drawn like an earlier one: Greek Α and Cyrillic А after Latin A."""
    atlas = load_atlas()
    drawn: dict[bytes, str] = {}
    for character in characters:
        drawn.setdefault(atlas.drawing(character), character)
    return "".join(drawn.values())


def ideographs() -> Iterator[str]:
    """Those of `IDEOGRAPH_SETS`: rows of two bytes from 0xA1."""
    for name in IDEOGRAPH_SETS:
        for row in range(0xA1, 0xFF):
            for column in range(0xA1, 0xFF):
                character = bytes((row, column)).decode(name, errors="ignore")
                if len(character) == 1 and any(first <= ord(character) <= last for first, last in IDEOGRAPHS):
                    yield character


def build_charset(texts: Iterable[str]) -> Charset:
    """The characters of `BLOCKS` and the ideographs, each kind split by how often its characters stand in `texts`."""
    atlas = load_atlas()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    members = [chr(c) for first, last in BLOCKS for c in range(first, last + 1)]
    members = list(dict.fromkeys(c for c in (*members, *sorted(set(ideographs()))) if atlas.width[ord(c)]))
    narrow = [c for c in members if atlas.width[ord(c)] == 1]
    full_width = told_apart("".join(c for c in members if atlas.width[ord(c)] == 2))
    wide = sorted(full_width, key=lambda c: (-counts[c], c))
    always = set(map(chr, range(0x20, 0x7F))) | set(RESERVED) | {"▶", "◆"}
    ranked = sorted(narrow, key=lambda c: (c not in always, -counts[c], c))
    return Charset(
        common="".join(sorted(ranked[:N_COMMON])),
        rare="".join(sorted(ranked[N_COMMON:])),
        wide="".join(sorted(wide[:N_WIDE])),
        often="".join(sorted(wide[:N_OFTEN])),
        rare_wide="".join(sorted(wide[N_WIDE:])),
    )


def main() -> None:
    import argparse

    from foxing.encoder.bench.documents import read_messages

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    charset = build_charset(m["content"] for f in arguments.files for d in read_messages(f) for m in d["messages"])
    CHARSET_PATH.write_text(json.dumps(charset.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(len(charset.common), "common,", len(charset.rare), "rare narrow;", len(charset.wide), "common,", end=" ")
    print(len(charset.rare_wide), "rare full-width characters")


if __name__ == "__main__":
    main()
