"""Words: the units of text that fade."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from foxing.renderer.scripts import HAN, HIRAGANA, KATAKANA, SOUTH_EAST_ASIAN, UNSPACED

from .languages import MEASURES, MONTHS

#: Maximum length in characters of a number with its unit, or of a date.
MAX_DATE_CHARS = 40

#: Combining marks, Indic scripts, whose vowel signs `\w` does not match, and the zero-width joiner.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05c1-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963"
    "\u0966-\u0dff\u200d"
)
#: Chinese function words of one character that are seldom part of a longer word, in Chinese or Japanese.
_HAN_ALONE = "的是这這吗嗎呢吧啊哦嗯你她它很还也"
_LETTER = rf"(?:[^\W{UNSPACED}]|[{_MARKS}])"
#: Japanese and Chinese counters, which belong to the number before them.
_COUNTERS = "年月日号號時时分秒点點歳岁才人名円元個个回次度階楼歩本枚台匹週周%％"
#: Prefixes of a word: currency and other signs, markers of names and flags, and the beginning of a path.
_PREFIX = r"(?:[~.]{0,2}[/\\]|--?|[#@$€£¥₩+−±~<]|[$€£¥₩]-)"
#: Joiners, which may stand once between the characters of a word.
_JOINER = r"(?:['’\-.+=&~#]|[/\\:@]{1,3}|(?<=\d),(?=\d))"
#: Punctuation at the end of a URL belongs to the sentence, not to the URL.
_STOP = re.escape(".,;:!?)]}>\"'")
_IN_URL = rf"[^\s{_STOP}\u0080-\U0010ffff]"
_URL = rf"<?[A-Za-z][A-Za-z0-9+.\-]{{1,15}}://(?:{_IN_URL}|[{_STOP}]++(?={_IN_URL}))++"
_SUFFIX = rf"(?:(?<=\d)(?:[{_COUNTERS}]|[%‰€£¥₩$]|°[CF]?)|\+\+|#(?!\w))"
_SPACED = rf"{_PREFIX}?{_LETTER}++(?:{_JOINER}{_LETTER}++)*+{_SUFFIX}?"
#: Symbols up to the next word, and anything that no other alternative matches.
_SIGNS = rf"(?:(?!{_PREFIX}?{_LETTER}|[{UNSPACED}])\S){{1,16}}|\S"
#: No alternative looks far beyond its match, which keeps the time linear in the length of the text.
_UNSPACED_UNIT = (
    rf"[{_HAN_ALONE}]|[{HAN}](?:(?![{_HAN_ALONE}])[{HAN}])?|[{KATAKANA}]{{1,12}}|[{HIRAGANA}]{{1,4}}"
    rf"|[{SOUTH_EAST_ASIAN}]{{1,8}}"
)
_UNIT = re.compile(f"{_URL}|{_SPACED}|{_UNSPACED_UNIT}|{_SIGNS}")

_NUMBER = re.compile(r"\A(?:[#$€£¥₩+\-−±~]*\d[\d.,:/\-]*(?:st|nd|rd|th|[ap]m)?|[\d.,]+[kKMBx])", re.IGNORECASE)


class Word(NamedTuple):
    """Half-open range of characters that fade as a unit: a word, a number with its unit, an identifier, a few
    characters of a script without spaces, or punctuation."""

    start: int
    stop: int


def is_punctuation(word: str) -> bool:
    """Returns whether a unit of `words_of` consists of punctuation: no letter, digit or symbol such as an emoji."""
    return all(not c.isalnum() if c.isascii() else unicodedata.category(c)[0] in "PZC" for c in word)


def words_of(text: str, gaps: Iterable[int] = ()) -> list[Word]:
    """Splits `text` into units, in order. Characters outside all units are white space, or one of the `gaps` (offsets
    in `text`).

    Splitting a faded text gives the words that were kept, because the bounds of a unit depend only on the characters
    beside them.
    """
    broken = _without(text, gaps)
    return list(_merged(broken, _units(broken)))


def _without(text: str, gaps: Iterable[int]) -> str:
    characters = None
    for place in gaps:
        characters = characters or list(text)
        characters[place] = "\n"
    return text if characters is None else "".join(characters)


def _units(text: str) -> Iterator[Word]:
    for match in _UNIT.finditer(text):
        yield Word(*match.span())


def _merged(text: str, units: Iterable[Word]) -> Iterator[Word]:
    """Merges each number with its unit of measure, and the parts of a date, into one unit."""
    last: Word | None = None
    kind = ""
    for word in units:
        word_kind = _kind(text[word.start : word.stop])
        if last is not None and _belongs(text, last, word, kind + word_kind):
            last = Word(last.start, word.stop)
            kind = "x" if word_kind == "u" else word_kind
            continue
        if last is not None:
            yield last
        last = word
        kind = word_kind
    if last is not None:
        yield last


def _kind(word: str) -> str:
    """Returns "n" for a number, "d" for a month, "u" for a unit of measure, else "x"."""
    if len(word) > 12:
        return "x"
    if _NUMBER.fullmatch(word):
        return "n"
    lower = word.lower()
    return "d" if lower in MONTHS else "u" if lower in MEASURES else "x"


def _belongs(text: str, last: Word, word: Word, kinds: str) -> bool:
    """Returns whether `word` continues the number or date in `last`."""
    adjacent = word.start == last.stop + 1 and text[last.stop] in " \u00a0"
    return adjacent and kinds in ("nu", "nd", "dn") and word.stop - last.start <= MAX_DATE_CHARS
