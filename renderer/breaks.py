"""Page breaks: where in a message a page may end.

A page ends before a message, else after a sentence, else after a word: never inside a number with its unit, a date, an
identifier or a run of capitalised words. Scripts without blanks break between characters. All of this is looked for in
windows before the end of the page's room, so that little of it stays empty; a run that is longer than the last window
breaks anywhere.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum

from .scripts import KATAKANA, UNSPACED, is_unspaced


class Edge(IntEnum):
    """How a part of a message begins or ends, and the number of marks that say so in its header."""

    #: With the message.
    WHOLE = 0
    #: At a page break between words.
    BETWEEN = 1
    #: At a page break inside a word, or where one may be.
    INSIDE = 2


class _Quality(IntEnum):
    """How good a break is."""

    #: Inside a word.
    NONE = 0
    #: Beside a blank, but it takes a name, a number or a date apart.
    BLANK = 1
    #: Between words.
    WORDS = 2
    #: After a sentence or a line, or before the message.
    SENTENCE = 3


#: Characters beside a break that are looked at.
CONTEXT = 160
#: Share of a page that may stay empty for a break, at most.
_MOST = 1 / 4
#: Characters that may be left over for a break of that quality, best first: share of the page's cells, and at least.
_WINDOWS = ((_Quality.SENTENCE, 1 / 64, 0), (_Quality.WORDS, 1 / 32, CONTEXT), (_Quality.BLANK, _MOST, 0))
#: Characters of an identifier, at least, that stands by itself beside another one.
_IDENTIFIER = 7

#: Blanks at which a line must not break.
_NO_BREAK = "\u00a0\u202f\u2007\u2060\ufeff"
_TOKEN = re.compile(rf"(?:\S|[{_NO_BREAK}])+")
_RUN = re.compile(rf"[^\s⋯{UNSPACED}]*")
_CLOSING = "\"'’”»)]}>*_`"
_OPENING = "\"'‘“«([{<*_`¿¡„"
_SENTENCE_ENDS = ".!?…:;"
#: Ends of sentences and clauses in scripts without blanks.
_UNSPACED_ENDS = "。！？!?…、，；：."
#: Punctuation after which a line may break without a blank.
_BREAKS_AFTER = "。！？、，；：」』）】"
#: Places whose quality is not `NONE`, and some others.
_MAY_BREAK = re.compile(rf"\A|(?<=[\s{_BREAKS_AFTER}{UNSPACED}])|(?=[\s{UNSPACED}])")
#: Places that are looked for together.
_AT_ONCE = 64
#: What must not begin a line, and what must not end one.
_NOT_FIRST = "。、，．.,:;!?！？；：」』）】〉》”’)]}〕…‥ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ％%"
_NOT_LAST = "「『（【〈《“‘([{〔เแโใไ$€£¥￥"
_KATAKANA_WORD = re.compile(f"[{KATAKANA}・]")
#: Digits of scripts without blanks, and words for parts of the day that stand before a time.
_HAN_DIGITS = frozenset("〇零一二三四五六七八九十百千万萬億亿两兩")
#: Characters of a script without blanks beside a number that may belong to it: a unit, “午後”, “下午”, “令和”.
_BESIDE_NUMBERS = 4
_NUMBER_STOPS = re.compile(r"[\s。、，！？；：「」『』（）]")
#: Lower-case words inside names.
_IN_NAMES = frozenset(
    (
        *("af", "al", "bin", "da", "das", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "e"),
        *("el", "ibn", "la", "las", "le", "les", "los", "of", "ter", "the", "van", "von", "y", "zu", "zum", "zur"),
    )
)
#: Letters of an abbreviation before a name, at most: “Prof.”
_ABBREVIATION = 4


def best_break(text: str, limit: int, cells: int, *, least: int = 0) -> int:
    """The number of characters of `text`, from `least` to `limit`, that a page of `cells` cells takes.

    `limit`: how many there is room for, fewer than `text` has. 0 says that the message is better begun on the next
    page. It is `limit` itself inside a run that is too long to stay whole.
    """
    if not least and limit <= cells * _WINDOWS[0][1]:
        return 0
    qualities: dict[int, _Quality] = {}
    for wanted, share, characters in _WINDOWS:
        window = int(min(_MOST * cells, max(share * cells, characters)))
        top, lowest = limit, max(least, limit - window)
        while top >= lowest:
            bottom = max(lowest, top - _AT_ONCE + 1)
            matches = _MAY_BREAK.finditer(text, bottom, top + 1)
            for place in reversed([place for match in matches if (place := match.start()) <= top]):
                if place not in qualities:
                    qualities[place] = _quality(text, place)
                if qualities[place] >= wanted:
                    return place
            top = bottom - 1
    return max(limit, least)


def edge_at(text: str, place: int) -> Edge:
    """How a part of `text` that ends at `place`, and the one after it, are cut there."""
    if place in (0, len(text)):
        return Edge.WHOLE
    return Edge.INSIDE if _quality(text, place) == _Quality.NONE else Edge.BETWEEN


def cut_word_length(text: str, *, at_end: bool) -> int:
    """Characters of the word, of a script with blanks, that `text` begins with, or ends with."""
    run = _RUN.match(text[::-1] if at_end else text)
    return run.end() if run else 0


def whole_word_range(text: str, begin: Edge, end: Edge) -> tuple[int, int]:
    """The range of a part's `text`, half open, in which no word is cut by a page break."""
    first = cut_word_length(text, at_end=False) if begin == Edge.INSIDE else 0
    last = len(text) - (cut_word_length(text, at_end=True) if end == Edge.INSIDE else 0)
    return first, last


def _quality(text: str, place: int) -> _Quality:
    if place == 0:
        return _Quality.SENTENCE
    before, after = text[place - 1], text[place]
    if before == "\n":
        return _Quality.SENTENCE
    if before in _NO_BREAK or after in _NO_BREAK:
        return _Quality.NONE
    if after.isspace():
        return _Quality.BLANK
    if before.isspace():
        return _between_tokens(text, place)
    return _between_characters(text, place)


def _between_tokens(text: str, place: int) -> _Quality:
    """The quality of a break between a blank and what follows it."""
    head = text[max(0, place - CONTEXT) : place]
    if "\n" in head and "\n" in head[len(head.rstrip()) :]:
        return _Quality.SENTENCE
    left, right = _TOKEN.findall(head)[-3:], _TOKEN.findall(text[place : place + CONTEXT])[:3]
    if not left:
        return _Quality.WORDS
    bare = not _has_word(left[-1]) or not _has_word(right[0])
    if bare or _belongs_to_number(left, right) or _is_name(left, right):
        return _Quality.BLANK
    return _Quality.SENTENCE if _ends_sentence(left[-1]) else _Quality.WORDS


def _has_word(token: str) -> bool:
    return any(map(str.isalnum, token))


def _has_digit(token: str) -> bool:
    return any(c.isdigit() or c in _HAN_DIGITS for c in token)


def _belongs_to_number(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether a number and what stands beside it, its unit or the rest of its date, would be taken apart. A comma ends
    a number, but for that between a day and a year; two identifiers are not one."""
    first = next((token for token in reversed(left) if token not in _IN_NAMES), "")  # “14 de abril de 2026”
    second = next((token for token in right if token not in _IN_NAMES), "")
    if not (_has_digit(first) or _has_digit(second)):
        return False
    both = _has_digit(first) and _has_digit(second)
    apart = both and min(len(first), len(second)) >= _IDENTIFIER and ":" not in second
    ended = apart or (first[-1:] in tuple(",;") and _has_digit(first))
    year = second.strip(".,;:!?)")
    in_date = len(left) > 1 and not _has_digit(left[-2]) and year.isdigit() and len(year) == len("2026")
    return not ended or in_date


def _ends_sentence(token: str) -> bool:
    """Whether a sentence ends with `token`, which is no abbreviation before a name."""
    bare = token.rstrip(_CLOSING)
    return bare[-1:] in _SENTENCE_ENDS + _UNSPACED_ENDS and bare[-1:] != "," and not _is_abbreviation(bare)


def _is_abbreviation(bare: str) -> bool:
    letters = sum(map(str.isalpha, bare))
    return bare.endswith(".") and ((letters <= _ABBREVIATION and _is_capitalised(bare)) or "." in bare[:-1])


def _is_capitalised(token: str) -> bool:
    return token.lstrip(_OPENING)[:1].isupper()


def _is_name(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether a run of capitalised words would be taken apart, with the lower-case words inside of it."""
    if left[-1][-1] in ",;" or _ends_sentence(left[-1]):
        return False
    before = next((token for token in reversed(left) if token not in _IN_NAMES), "")
    after = next((token for token in right if token not in _IN_NAMES), "")
    return _is_capitalised(before) and _is_capitalised(after) and not (before != left[-1] and _ends_sentence(before))


def _between_characters(text: str, place: int) -> _Quality:
    """The quality of a break without a blank beside it."""
    before, after = text[place - 1], text[place]
    if not (is_unspaced(before) or is_unspaced(after) or before in _BREAKS_AFTER):
        return _Quality.NONE
    if after in _NOT_FIRST or before in _NOT_LAST or after == "\u200d" or unicodedata.category(after)[0] == "M":
        return _Quality.NONE
    if _KATAKANA_WORD.match(before) and _KATAKANA_WORD.match(after):
        return _Quality.NONE
    left = _NUMBER_STOPS.split(text[max(0, place - _BESIDE_NUMBERS) : place])[-1]
    right = _NUMBER_STOPS.split(text[place : place + _BESIDE_NUMBERS])[0]
    if _has_digit(left) or _has_digit(right):
        return _Quality.NONE
    ends = before in _UNSPACED_ENDS or (before in "」』）】" and text[place - 2 : place - 1] in tuple(_UNSPACED_ENDS))
    return _Quality.SENTENCE if ends else _Quality.WORDS
