"""Accuracy of a codec on each character of its repertoire, by kind, among English words.

Each character occurs once, beside another of its kind, so that it cannot be guessed. The words limit the information on
a page: a page of rare characters alone would measure the capacity of its vision tokens.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from foxing.encoder.contract import Codec
from foxing.renderer import Page, Progress, Typesetter, render
from foxing.renderer.atlas import load_atlas
from foxing.renderer.marks import GAP_MARK, RESERVED
from foxing.renderer.page import WIDE_TAIL
from foxing.renderer.repertoire import NARROW, WIDE, full_repertoire

from .documents import entries

SEED = 29
MESSAGE_CHARACTERS = 300
MAX_LISTED_ERRORS = 40  # in a row's `wrong`
RUN_LENGTH = 2  # adjacent characters of one kind
FILLER_SENTENCE = "we moved the test to the second week of March and told everyone about it before noon"
FILLER_WORDS = tuple(FILLER_SENTENCE.split())


def _between(*ranges: tuple[int, int]) -> Callable[[str], bool]:
    return lambda character: any(first <= ord(character) <= last for first, last in ranges)


def _ideograph_in(encoding: str) -> Callable[[str], bool]:
    """Returns a predicate for ideographs of a national standard, by Python's codec for `encoding`."""

    def belongs(character: str) -> bool:
        if not 0x4E00 <= ord(character) <= 0x9FFF:
            return False
        try:
            return bool(character.encode(encoding))
        except UnicodeEncodeError:
            return False

    return belongs


#: Kind → predicate of its characters. A character may belong to several kinds; it is decoded once for all of them.
CHARACTER_KINDS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "ASCII": _between((0x21, 0x7E)),
        "Latin": _between((0xA1, 0x24F), (0x1E00, 0x1EFF)),
        "Greek": _between((0x370, 0x3FF)),
        "Cyrillic": _between((0x400, 0x4FF)),
        "kana": _between((0x3041, 0x30FF), (0x31F0, 0x31FF)),
        "Hangul syllables": _between((0xAC00, 0xD7A3)),
        "ideographs of GB 2312": _ideograph_in("gb2312"),
        "ideographs of JIS X 0208": _ideograph_in("iso2022_jp"),
        "ideographs of KS X 1001": _ideograph_in("euc_kr"),
        "box drawing, blocks": _between((0x2500, 0x259F)),
        "arrows": _between((0x2190, 0x21FF), (0x2B00, 0x2B5F)),
        "mathematics": _between((0x2200, 0x22FF), (0x27E6, 0x27EF)),
        "emoji": _between((0x1F300, 0x1FAFF)),
    }
)
#: Kind of all remaining characters.
OTHER_KIND = "others"


@dataclass(frozen=True)
class CharacterRow:
    """Accuracy on the characters of one kind at one tier."""

    tier: str
    kind: str
    #: Number of characters of this kind in the repertoire.
    characters: int
    #: Number of characters that share a glyph with another (Latin A, Greek Α, Cyrillic А); they cannot be distinguished
    #: in isolation and are not scored.
    lookalikes: int
    #: Share of the scored characters that are decoded right.
    accuracy: float
    #: Share of the wrong characters that are flagged or a gap; 1 if none is wrong.
    flagged_errors_share: float
    #: The first `MAX_LISTED_ERRORS` wrong characters in code point order.
    wrong: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "CharacterRow":
        """Inverts `to_dict`."""
        return cls(**fields)


class _Outcome(NamedTuple):
    """Outcome of decoding a character, over all its occurrences."""

    #: Whether every occurrence is right.
    right: bool
    #: Whether every wrong occurrence is flagged or a gap.
    flagged: bool


def measure_characters(codec: Codec, tiers: Sequence[str], progress: Progress | None = None) -> list[CharacterRow]:
    """Measures each kind of character in the codec's repertoire at each of `tiers`; returns one row for each.
    `progress`: called with the tiers done and the total. Raises `CodecError`."""
    characters = readable_characters(codec)
    groups = _by_kind(characters)
    lookalikes = _lookalikes(characters)
    pages = _typeset(codec, groups)
    rows: list[CharacterRow] = []
    for number, tier in enumerate(tiers):
        outcomes = _decode(codec, pages, tier)
        rows += [_row(tier, kind, members, lookalikes, outcomes) for kind, members in groups.items()]
        if progress is not None:
            progress(number + 1, len(tiers))
    return rows


def readable_characters(codec: Codec) -> str:
    """Returns the assigned characters that are typeset as themselves for the codec, sorted. A codec without a
    repertoire reads every character with a glyph."""
    kinds = codec.repertoire.kind if codec.repertoire else full_repertoire().kind[:0x20000]
    characters = map(chr, np.flatnonzero(np.isin(kinds, (NARROW, WIDE))))
    return "".join(c for c in characters if c.isprintable() and not c.isspace() and c not in RESERVED)


def _by_kind(characters: str) -> dict[str, str]:
    groups = {kind: "".join(filter(belongs, characters)) for kind, belongs in CHARACTER_KINDS.items()}
    others = set(characters).difference(*groups.values())
    groups[OTHER_KIND] = "".join(c for c in characters if c in others)
    return {kind: members for kind, members in groups.items() if members}


def _lookalikes(characters: str) -> set[str]:
    """Returns the characters that share a glyph with another of `characters`."""
    atlas = load_atlas()
    by_glyph: dict[bytes, list[str]] = {}
    for character in characters:
        by_glyph.setdefault(atlas.drawing(character), []).append(character)
    return {character for same in by_glyph.values() if len(same) > 1 for character in same}


def _typeset(codec: Codec, groups: Mapping[str, str]) -> list[Page]:
    """Typesets every character once, grouped by kind and in random order."""
    generator = random.Random(SEED)
    done: set[str] = set()
    parts: list[list[str]] = []
    for members in groups.values():
        missing = [c for c in members if c not in done]
        done.update(missing)
        generator.shuffle(missing)
        parts += [missing[i : i + MESSAGE_CHARACTERS] for i in range(0, len(missing), MESSAGE_CHARACTERS)]
    messages = [{"role": "user", "content": _among_words(part, generator)} for part in parts]
    document = {"id": "characters", "messages": messages}
    return Typesetter(codec.layout, codec.repertoire).pages(entries([document]))


def _among_words(characters: Sequence[str], generator: random.Random) -> str:
    runs = ("".join(characters[i : i + RUN_LENGTH]) for i in range(0, len(characters), RUN_LENGTH))
    return " ".join(f"{run} {generator.choice(FILLER_WORDS)}" for run in runs)


def _decode(codec: Codec, pages: Sequence[Page], tier: str) -> dict[str, _Outcome]:
    """Returns the outcome for every character in messages. Letters of the filler words occur many times."""
    tokens = codec.encode([render(page.cells, page.layout, tier) for page in pages], tier)
    outcomes: dict[str, _Outcome] = {}
    for page, reading in zip(pages, codec.decode(tokens), strict=True):
        cells, read, confidence = (part.reshape(-1) for part in (page.cells, reading.cells, reading.confidence))
        content = np.zeros(len(cells), dtype=bool)
        for placement in page.placements:
            content[placement.start : placement.stop] = True
        for at in np.flatnonzero(content & (cells > 0x20) & (cells != WIDE_TAIL)):
            outcome = outcomes.get(chr(cells[at]), _Outcome(right=True, flagged=True))
            if read[at] != cells[at]:
                flagged = bool(confidence[at] < reading.flag_below or read[at] == ord(GAP_MARK))
                outcome = _Outcome(right=False, flagged=outcome.flagged and flagged)
            outcomes[chr(cells[at])] = outcome
    return outcomes


def _row(tier: str, kind: str, members: str, lookalikes: set[str], outcomes: Mapping[str, _Outcome]) -> CharacterRow:
    scored = [c for c in members if c not in lookalikes]
    wrong = [c for c in scored if not outcomes[c].right]
    flagged = sum(outcomes[c].flagged for c in wrong)
    return CharacterRow(
        tier=tier,
        kind=kind,
        characters=len(members),
        lookalikes=len(members) - len(scored),
        accuracy=1 - len(wrong) / max(1, len(scored)),
        flagged_errors_share=flagged / len(wrong) if wrong else 1.0,
        wrong="".join(wrong[:MAX_LISTED_ERRORS]),
    )
