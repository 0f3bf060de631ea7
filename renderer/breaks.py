"""Page breaks: the places in a message at which a page may end.

A page ends before a message if possible, else after a sentence, else after a word: not inside a number with its unit, a
date, an identifier or a run of capitalised words. Scripts without spaces break between characters. Breaks are searched
in windows before the end of the page, so that little of the page stays empty; a run longer than the last window breaks
anywhere.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum

from .scripts import KATAKANA, UNSPACED, is_unspaced


class Edge(IntEnum):
    """Edge of a message part. The value is the number of marks for it in the header."""

    #: The beginning or end of the message.
    WHOLE = 0
    #: A page break between words.
    BETWEEN = 1
    #: A page break inside a word, or possibly inside one.
    INSIDE = 2


class _Quality(IntEnum):
    """Quality of a page break; higher is better."""

    #: Inside a word.
    NONE = 0
    #: Beside a blank, but inside a name, a number with its unit, or a date.
    BLANK = 1
    #: Between words.
    WORDS = 2
    #: After a sentence or a line, or before the message.
    SENTENCE = 3


#: Characters on each side of a break that decide its quality.
CONTEXT = 160
#: Maximum share of a page that a break may leave empty.
_MOST = 1 / 4
#: Search window for each quality, best first: share of the page's cells, and minimum number of characters.
_WINDOWS = ((_Quality.SENTENCE, 1 / 64, 0), (_Quality.WORDS, 1 / 32, CONTEXT), (_Quality.BLANK, _MOST, 0))
#: Minimum length of two adjacent identifiers between which a page may break.
_IDENTIFIER = 7

#: Spaces at which a line must not break.
_NO_BREAK = "\u00a0\u202f\u2007\u2060\ufeff"
_TOKEN = re.compile(rf"(?:\S|[{_NO_BREAK}])+")
_RUN = re.compile(rf"[^\s⋯{UNSPACED}]*")
_CLOSING = "\"'’”»)]}>*_`"
_OPENING = "\"'‘“«([{<*_`¿¡„"
_SENTENCE_ENDS = ".!?…:;"
#: Ends of sentences and clauses in scripts without spaces.
_UNSPACED_ENDS = "。！？!?…、，；：."
#: Punctuation after which a line may break without a space.
_BREAKS_AFTER = "。！？、，；：」』）】"
#: Candidate places: all whose quality is not `NONE`, and some others.
_MAY_BREAK = re.compile(rf"\A|(?<=[\s{_BREAKS_AFTER}{UNSPACED}])|(?=[\s{UNSPACED}])")
#: Characters per search step.
_AT_ONCE = 64
#: Characters that must not begin a line, and characters that must not end one.
_NOT_FIRST = "。、，．.,:;!?！？；：」』）】〉》”’)]}〕…‥ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ％%"
_NOT_LAST = "「『（【〈《“‘([{〔เแโใไ$€£¥￥"
_KATAKANA_WORD = re.compile(f"[{KATAKANA}・]")
#: Chinese and Japanese digits.
_HAN_DIGITS = frozenset("〇零一二三四五六七八九十百千万萬億亿两兩")
#: Maximum distance of a number from characters that may belong to it in scripts without spaces: a unit, “午後”, “令和”.
_BESIDE_NUMBERS = 4
_NUMBER_STOPS = re.compile(r"[\s。、，！？；：「」『』（）]")
#: Lower-case words inside names.
_IN_NAMES = frozenset(
    (
        *("af", "al", "bin", "da", "das", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "e"),
        *("el", "ibn", "la", "las", "le", "les", "los", "of", "ter", "the", "van", "von", "y", "zu", "zum", "zur"),
    )
)
#: Maximum number of letters of an abbreviation before a name: “Prof.”
_ABBREVIATION = 4


def best_break(text: str, limit: int, cells: int, *, minimum: int = 0) -> int:
    """Returns the number of characters of `text` to put on a page of `cells` cells, from `minimum` to `limit`.

    `limit`: characters that fit, fewer than `text` has. The result is 0 if the message should begin on the next page,
    and `limit` inside a run that is too long to keep whole.
    """
    if not minimum and limit <= cells * _WINDOWS[0][1]:
        return 0
    qualities: dict[int, _Quality] = {}
    for quality, share, characters in _WINDOWS:
        window = int(min(_MOST * cells, max(share * cells, characters)))
        top = limit
        lowest = max(minimum, limit - window)
        while top >= lowest:
            bottom = max(lowest, top - _AT_ONCE + 1)
            matches = _MAY_BREAK.finditer(text, bottom, top + 1)
            for place in reversed([place for match in matches if (place := match.start()) <= top]):
                if place not in qualities:
                    qualities[place] = _quality(text, place)
                if qualities[place] >= quality:
                    return place
            top = bottom - 1
    return max(limit, minimum)


def edge_at(text: str, place: int) -> Edge:
    """Returns the edge that a page break at offset `place` of `text` makes."""
    if place in (0, len(text)):
        return Edge.WHOLE
    return Edge.INSIDE if _quality(text, place) == _Quality.NONE else Edge.BETWEEN


def cut_word_length(text: str, *, at_end: bool) -> int:
    """Returns the length of the word that `text` begins with, or ends with if `at_end`; 0 in scripts without spaces."""
    run = _RUN.match(text[::-1] if at_end else text)
    return run.end() if run else 0


def whole_word_range(text: str, begin: Edge, end: Edge) -> tuple[int, int]:
    """Returns the half-open range of `text`, a message part with these edges, that excludes words cut by a page
    break."""
    first = cut_word_length(text, at_end=False) if begin == Edge.INSIDE else 0
    last = len(text) - (cut_word_length(text, at_end=True) if end == Edge.INSIDE else 0)
    return first, last


def _quality(text: str, place: int) -> _Quality:
    if place == 0:
        return _Quality.SENTENCE
    before = text[place - 1]
    after = text[place]
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
    """Returns the quality of a break between a blank and the token after it."""
    head = text[max(0, place - CONTEXT) : place]
    if "\n" in head and "\n" in head[len(head.rstrip()) :]:
        return _Quality.SENTENCE
    left = _TOKEN.findall(head)[-3:]
    right = _TOKEN.findall(text[place : place + CONTEXT])[:3]
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
    """Returns whether a break would separate a number from its unit or from the rest of its date. A comma ends a
    number, except between a day and a year; two identifiers are separate."""
    first = next((token for token in reversed(left) if token not in _IN_NAMES), "")  # “14 de abril de 2026”
    second = next((token for token in right if token not in _IN_NAMES), "")
    if not (_has_digit(first) or _has_digit(second)):
        return False
    both = _has_digit(first) and _has_digit(second)
    separate = both and min(len(first), len(second)) >= _IDENTIFIER and ":" not in second
    ended = separate or (first[-1:] in tuple(",;") and _has_digit(first))
    year = second.strip(".,;:!?)")
    in_date = len(left) > 1 and not _has_digit(left[-2]) and year.isdigit() and len(year) == len("2026")
    return not ended or in_date


def _ends_sentence(token: str) -> bool:
    """Returns whether `token` ends a sentence and is not an abbreviation before a name."""
    bare = token.rstrip(_CLOSING)
    return bare[-1:] in _SENTENCE_ENDS + _UNSPACED_ENDS and bare[-1:] != "," and not _is_abbreviation(bare)


def _is_abbreviation(bare: str) -> bool:
    letters = sum(map(str.isalpha, bare))
    return bare.endswith(".") and ((letters <= _ABBREVIATION and _is_capitalised(bare)) or "." in bare[:-1])


def _is_capitalised(token: str) -> bool:
    return token.lstrip(_OPENING)[:1].isupper()


def _is_name(left: Sequence[str], right: Sequence[str]) -> bool:
    """Returns whether a break would split a name: capitalised words, and the lower-case words between them."""
    if left[-1][-1] in ",;" or _ends_sentence(left[-1]):
        return False
    before = next((token for token in reversed(left) if token not in _IN_NAMES), "")
    after = next((token for token in right if token not in _IN_NAMES), "")
    return _is_capitalised(before) and _is_capitalised(after) and not (before != left[-1] and _ends_sentence(before))


def _between_characters(text: str, place: int) -> _Quality:
    """Returns the quality of a break that is not beside a blank."""
    before = text[place - 1]
    after = text[place]
    if not (is_unspaced(before) or is_unspaced(after) or before in _BREAKS_AFTER):
        return _Quality.NONE
    if after in _NOT_FIRST or before in _NOT_LAST or after == "\u200d" or unicodedata.category(after)[0] == "M":
        return _Quality.NONE
    if _KATAKANA_WORD.match(before) and _KATAKANA_WORD.match(after):
        return _Quality.NONE
    before_place = _NUMBER_STOPS.split(text[max(0, place - _BESIDE_NUMBERS) : place])[-1]
    right = _NUMBER_STOPS.split(text[place : place + _BESIDE_NUMBERS])[0]
    if _has_digit(before_place) or _has_digit(right):
        return _Quality.NONE
    ends = before in _UNSPACED_ENDS or (before in "」』）】" and text[place - 2 : place - 1] in tuple(_UNSPACED_ENDS))
    return _Quality.SENTENCE if ends else _Quality.WORDS
