"""Every character that a codec reads, by kind, among words of English.

Each stands once, beside another of its kind: nothing about it can be guessed, and there is room for it. A page of
nothing but rare characters would measure the room of its vision tokens.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from foxing.encoder.contract import Codec
from foxing.renderer import RESERVED, WIDE_TAIL, Page, Repertoire, Typesetter, load_atlas, render

from .documents import entries

SEED = 29
MESSAGE_CHARACTERS = 300
SHOWN = 40  # of what is wrong
RUN = 2  # characters of a kind that stand together
WORDS = tuple(
    [
        "we",
        "moved",
        "the",
        "test",
        "to",
        "the",
        "second",
        "week",
        "of",
        "March",
        "and",
        "told",
        "everyone",
        "about",
        "it",
        "before",
        "noon",
    ]
)


def _between(*ranges: tuple[int, int]) -> Callable[[str], bool]:
    return lambda character: any(first <= ord(character) <= last for first, last in ranges)


def _ideograph_of(encoding: str) -> Callable[[str], bool]:
    """Of those that a national standard has, as Python's codec of it knows them."""

    def known(character: str) -> bool:
        if not 0x4E00 <= ord(character) <= 0x9FFF:
            return False
        try:
            return bool(character.encode(encoding))
        except UnicodeEncodeError:
            return False

    return known


#: Kinds that overlap are measured on the same readings.
KINDS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "ASCII": _between((0x21, 0x7E)),
        "Latin": _between((0xA1, 0x24F), (0x1E00, 0x1EFF)),
        "Greek": _between((0x370, 0x3FF)),
        "Cyrillic": _between((0x400, 0x4FF)),
        "kana": _between((0x3041, 0x30FF), (0x31F0, 0x31FF)),
        "Hangul syllables": _between((0xAC00, 0xD7A3)),
        "ideographs of GB 2312": _ideograph_of("gb2312"),
        "ideographs of JIS X 0208": _ideograph_of("iso2022_jp"),
        "ideographs of KS X 1001": _ideograph_of("euc_kr"),
        "box drawing, blocks": _between((0x2500, 0x259F)),
        "arrows": _between((0x2190, 0x21FF), (0x2B00, 0x2B5F)),
        "mathematics": _between((0x2200, 0x22FF), (0x27E6, 0x27EF)),
        "emoji": _between((0x1F300, 0x1FAFF)),
    }
)
OTHERS = "others"


@dataclass(frozen=True)
class CharacterRow:
    """How a codec reads the characters of one kind at one tier. `characters`: how many there are; `twins`: those that
    are drawn like another character that the codec reads (Latin A, Greek Α, Cyrillic А), which nobody can tell apart
    alone; `accuracy`: share of the others that is read right; `flagged_errors_share`: of what is wrong among them that
    is flagged, 1 where nothing is; `wrong`: some of it, in the order of Unicode."""

    tier: str
    kind: str
    characters: int
    twins: int
    accuracy: float
    flagged_errors_share: float
    wrong: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def characters_of(codec: Codec) -> str:
    """All assigned characters that it reads and that are typeset as themselves. A codec that does not say reads what
    has a glyph."""
    known = codec.repertoire
    if known is None:
        known = "".join(map(chr, np.flatnonzero(load_atlas().width[:0x20000] > 0)))
    return "".join(sorted({c for c in known if c.isprintable() and not c.isspace() and c not in RESERVED}))


def measure_characters(
    codec: Codec, tiers: Sequence[str], progress: Callable[[int, int], None] | None = None
) -> list[CharacterRow]:
    """A row for each kind that the codec reads and each of `tiers`. Raises `CodecError`."""
    characters = characters_of(codec)
    groups, twins = _groups(characters), _twins(characters)
    pages = _pages(codec, groups)
    rows: list[CharacterRow] = []
    for number, tier in enumerate(tiers):
        read = _read(codec, pages, tier)
        rows += [_row(tier, kind, members, twins, read) for kind, members in groups.items()]
        if progress is not None:
            progress(number + 1, len(tiers))
    return rows


def _groups(characters: str) -> dict[str, str]:
    groups = {kind: "".join(filter(belongs, characters)) for kind, belongs in KINDS.items()}
    rest = set(characters).difference(*groups.values())
    groups[OTHERS] = "".join(c for c in characters if c in rest)
    return {kind: members for kind, members in groups.items() if members}


def _twins(characters: str) -> set[str]:
    """Those of `characters` that are drawn like another one."""
    atlas = load_atlas()
    drawn: dict[bytes, list[str]] = {}
    for character in characters:
        drawn.setdefault(atlas.drawing(character), []).append(character)
    return {character for alike in drawn.values() if len(alike) > 1 for character in alike}


def _pages(codec: Codec, groups: Mapping[str, str]) -> list[Page]:
    """All characters, each once, those of a kind together and in random order."""
    generator = random.Random(SEED)
    done: set[str] = set()
    messages = []
    for members in groups.values():
        left = [c for c in members if c not in done]
        done.update(left)
        generator.shuffle(left)
        messages += [left[i : i + MESSAGE_CHARACTERS] for i in range(0, len(left), MESSAGE_CHARACTERS)]
    said = [{"role": "user", "content": _mixed(part, generator)} for part in messages]
    document = {"id": "characters", "messages": said}
    return Typesetter(codec.layout, Repertoire(codec.repertoire)).pages(entries([document]))


def _mixed(characters: Sequence[str], generator: random.Random) -> str:
    runs = ("".join(characters[i : i + RUN]) for i in range(0, len(characters), RUN))
    return " ".join(f"{run} {generator.choice(WORDS)}" for run in runs)


def _read(codec: Codec, pages: Sequence[Page], tier: str) -> dict[str, tuple[bool, bool]]:
    """Character of a message → whether it was read right, and whether it was flagged where it was not. A letter of the
    words stands many times, and is right where it is right every time."""
    tokens = codec.encode([render(page.cells, page.layout, tier) for page in pages], tier)
    found: dict[str, tuple[bool, bool]] = {}
    for page, reading in zip(pages, codec.decode(tokens), strict=True):
        cells, read, sure = (part.reshape(-1) for part in (page.cells, reading.cells, reading.confidence))
        inside = np.zeros(len(cells), dtype=bool)
        for span in page.spans:
            inside[span.start : span.stop] = True
        for at in np.flatnonzero(inside & (cells > 0x20) & (cells != WIDE_TAIL)):
            right, flagged = found.get(chr(cells[at]), (True, True))
            if read[at] != cells[at]:
                right, flagged = False, flagged and bool(sure[at] < reading.flag_below)
            found[chr(cells[at])] = right, flagged
    return found


def _row(tier: str, kind: str, members: str, twins: set[str], read: Mapping[str, tuple[bool, bool]]) -> CharacterRow:
    alone = [c for c in members if c not in twins]
    wrong = [c for c in alone if not read[c][0]]
    flagged = sum(read[c][1] for c in wrong)
    return CharacterRow(
        tier=tier,
        kind=kind,
        characters=len(members),
        twins=len(members) - len(alone),
        accuracy=1 - len(wrong) / max(1, len(alone)),
        flagged_errors_share=flagged / len(wrong) if wrong else 1.0,
        wrong="".join(wrong[:SHOWN]),
    )
