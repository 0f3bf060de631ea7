"""Builds the charset of the native codec from the training texts.

    python -m training.native.build_charset train/*.jsonl.gz

Counts the characters of the texts and writes `encoder/native/data/charset.json`. A compatibility ideograph of KS X 1001
with the same glyph as another character is left out.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from foxing.encoder.bench.documents import read_messages
from foxing.encoder.native.charset import CHARSET_PATH, Charset, distinct_glyphs
from foxing.renderer.atlas import load_atlas
from foxing.renderer.marks import MARKS

#: Unicode blocks; their characters that have a glyph belong to the charset.
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
    (0x531, 0x58A),  # Armenian
    (0x5D0, 0x5F4),  # Hebrew
    (0x60C, 0x669),  # Arabic: letters in their isolated forms, marks and digits in cells of their own
    *((c, c) for c in (0x67E, 0x686, 0x698, 0x6A9, 0x6AF, 0x6BA, 0x6BE, 0x6C1, 0x6CC, 0x6D2, 0x6D4)),  # Persian, Urdu
    (0x6F0, 0x6F9),
    (0x905, 0x97F),  # Devanagari: letters; its vowel signs have no glyph of their own
    (0xE01, 0xE5B),  # Thai: likewise
    (0x10D0, 0x10FC),  # Georgian
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
#: Python codecs of the national standards whose ideographs belong to the charset.
IDEOGRAPH_SETS = ("gb2312", "euc_jp", "euc_kr")
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0xF900, 0xFAFF))
N_COMMON = 252  # 256 classes with those for rare, full-width, Hangul and unreadable
N_WIDE = 3071  # 3072 with the class for rare ones
N_FREQUENT_WIDE = 767  # 768 with the class for all others
#: Characters that always have a class of their own, whatever their frequency: a faded page has hundreds of gaps.
ALWAYS_COMMON = frozenset(map(chr, range(0x20, 0x7F))) | frozenset(MARKS)


def ideographs() -> Iterator[str]:
    """Yields the ideographs of `IDEOGRAPH_SETS`, which encode them as two bytes from 0xA1 up."""
    for name in IDEOGRAPH_SETS:
        for row in range(0xA1, 0xFF):
            for column in range(0xA1, 0xFF):
                character = bytes((row, column)).decode(name, errors="ignore")
                if len(character) == 1 and any(first <= ord(character) <= last for first, last in IDEOGRAPHS):
                    yield character


def members() -> tuple[list[str], str]:
    """Returns the narrow and the full-width characters of `BLOCKS` and `IDEOGRAPH_SETS`."""
    atlas = load_atlas()
    points = [chr(c) for first, last in BLOCKS for c in range(first, last + 1)]
    points = list(dict.fromkeys(c for c in (*points, *sorted(set(ideographs()))) if atlas.width[ord(c)]))
    narrow = [c for c in points if atlas.width[ord(c)] == 1]
    return narrow, distinct_glyphs("".join(c for c in points if atlas.width[ord(c)] == 2))


def build_charset(texts: Iterable[str]) -> Charset:
    """Returns the charset of `BLOCKS` and the ideographs, split into lists by their frequency in `texts`."""
    counts = Counter(character for text in texts for character in text)
    narrow, full_width = members()
    wide = sorted(full_width, key=lambda c: (-counts[c], c))
    ranked = sorted(narrow, key=lambda c: (c not in ALWAYS_COMMON, -counts[c], c))
    return Charset(
        common="".join(sorted(ranked[:N_COMMON])),
        rare="".join(sorted(ranked[N_COMMON:])),
        wide="".join(sorted(wide[:N_WIDE])),
        frequent_wide="".join(sorted(wide[:N_FREQUENT_WIDE])),
        rare_wide="".join(sorted(wide[N_WIDE:])),
    )


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="JSON Lines of messages, gzipped or plain.")
    files = parser.parse_args().files
    charset = build_charset(m["content"] for f in files for d in read_messages(f) for m in d["messages"])
    CHARSET_PATH.write_text(json.dumps(charset.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(len(charset.common), "common,", len(charset.rare), "rare narrow characters;", end=" ")
    print(len(charset.wide), "common,", len(charset.rare_wide), "rare full-width characters")


if __name__ == "__main__":
    main()
