"""Ranges of a text that may be a secret: what stands where values stand, whatever its look."""

from collections.abc import Iterable, Iterator
from functools import cache

import regex

from .ranges import Range, bare_at, in_template, quoted_at
from .values import WALLET, Shape, shape_of
from .words import JOINED_SIGNS, words

#: Most values that are looked for within one, or within so many characters that are none.
TRIES = 6
REACH = 64
_OPENING = "\"'`«“„‘‚「『"
_START = regex.compile(
    rf"(?:(?<!\S)|(?<=[\s\"'`=:(\[{{<>,;|&«“„‘‚»@/#→{JOINED_SIGNS}*_…?-]))"
    rf"(?=[^\s{JOINED_SIGNS}\"'`=:(\[{{<>,;|&«»“”„‘’)\]}}])"
    # words of prose, which most are, have no look of their own: see `sentence_words`
    r"(?:(?<=[\"'`=:«“„‘：「『→>*(]\s?)|(?!\p{L}[\p{Ll}’']{0,60}+(?=[,.;:!?)]{0,3}+(?:\s|$))))"
)
#: Starts inside a name or a number are tried only behind a sign that joins a label with its value.
_INNER = frozenset("*_-#@/")
#: Signs that may stand inside a value.
_JOINTS = frozenset("\"'`=:([{<>,;|&@/#*_?-")
_PLAIN = regex.compile(r"\p{L}[\p{Ll}’']*|\p{Lu}+")
_SHOWN = regex.compile(r"[\"'`=:«“„‘：「『→>*(]\s{0,3}$")
_NUMBERS = regex.compile(
    r"(?<![\p{Latin}\d.,/:-])(?:\d{1,4}(?:-\d{1,4}){1,7}|\d{1,4}(?: \d{1,4}){1,7})(?![\p{Latin}\d]|[.,:/-]\d)"
)
_GROUPS = regex.compile(r"(?<![\p{L}\d])[A-Z2-7]{4}(?: [A-Z2-7]{4}){3,15}(?![\p{Latin}\d])")
_PHRASE = regex.compile(
    r"[\"'`„“«「『‘]\s?(?P<value>[^\s\"'`„“”«»「」『』‘’\n:=<>{}][^\"`„“”«»「」『』\n:=<>{}]{1,60}?)\s?(?:[」』](?!」)|[\"'`”“»’](?!\p{Latin}))"
)
_LINE = regex.compile(r"(?m)(?:[:=：]\s{0,3})(?P<value>[\p{L}\d'’-]{1,24}(?: [\p{L}\d'’-]{1,24}){1,7})[.!]?$")
#: The argument of an option: `-p word`, `-pword9`.
_OPTION = regex.compile(
    r"(?<=\s-[pPkw])[^\s\"'=|;&-][^\s\"'|;&]{2,}+|(?<=\s--?[a-z][a-z-]{0,20} )[^\s\"'|;&-][^\s\"'|;&]{2,}+"
)
#: What a name in an address or in settings is set to, wherever it stands.
_SET = regex.compile(r"(?<=[\w\]]=)[^\s&;,\"'<>=]{4,}+")
#: Digits before a bracket or a sign of a script without blanks.
_DIGITS = regex.compile(rf"(?<![\p{{Latin}}\d.,/-])\d{{4,8}}(?=[(（]|[{JOINED_SIGNS}])")
#: A part of an address, or of `user%password`.
_PART = regex.compile(
    r"(?<=://[^\s/:@\"'<>]{0,40}:)[^\s/@\"'<>]{2,}+(?=@)|(?<=\w%)[\w!.-]{4,}+(?=\s)|(?<=://)\w{16,}+(?=@)"
)
_PIECE = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}'’-]*+[!?]?(?!\p{L})")
#: A word that no sign joins with another, as in code.
_ALONE = regex.compile(
    r"(?<![\p{N}\p{L}_./@#$%&*=<+\\-])[\p{Latin}\p{Cyrillic}\p{Greek}’'-]++[!?]?(?![_(\[{=<@/\\]|[.:]\S)"
)
_JOINED = regex.compile(
    r"(?:(?<=[はがにの、,「『：: ])|(?<![\p{Han}\p{Hiragana}\p{Katakana}]))"
    r"(?P<value>[\p{Han}\p{Hiragana}\p{Katakana}ー]{2,10}?)"
    r"(?=です|だよ|だ。|で[すはし]|にし|に変|って|と[言い入打]|を|、|。|」|』|$|\n)"
    r"|(?<!\p{Hangul})(?P<value>\p{Hangul}{2,8}?)(?=이야|야[,. ]|이?라고|으?로 |이?에요|예요|입니다|[,.\n]|$)"
)
#: A word in Latin letters among signs of a script without blanks.
_AMONG = regex.compile(rf"(?<=[{JOINED_SIGNS}])\p{{Latin}}[\p{{Latin}}\d'-]{{3,}}+(?=[{JOINED_SIGNS}\s]|$)")
#: Most words of a phrase, and most phrases of a clause.
WORDS = 24
PHRASES = 4
_SCRIPT = regex.compile(rf"[{JOINED_SIGNS}]")


def spans(text: str) -> Iterator[Range]:
    """Yields the ranges, some of which overlap. Each pattern goes through the text once."""
    end = tries = 0
    for match in _START.finditer(text):
        start = match.start()
        if start >= end or text[start - 1] not in _JOINTS:
            end = tries = 0
        elif tries >= TRIES:
            continue
        tries += 1
        value = _value_at(text, start)
        end = max(end, start + REACH if value is None else value[1])
        if value is not None and not in_template(text, value[0]):
            yield value
    for pattern in (_NUMBERS, WALLET, _GROUPS, _OPTION, _PART, _SET, _DIGITS):
        for match in pattern.finditer(text):
            yield match.span()
    for pattern in (_PHRASE, _LINE):
        for match in pattern.finditer(text):
            phrase = match["value"]
            if (" " in phrase or _SCRIPT.search(phrase)) and shape_of(phrase) is not Shape.PLACEHOLDER:
                yield match.span("value")


def _value_at(text: str, start: int) -> Range | None:
    before = text[start - 1 : start]
    value = quoted_at(text, start - 1) if before and before in _OPENING else None
    if value is None or value[0] != start or " " in text[slice(*value)]:
        value = bare_at(text, start)
    if value is None or value[1] - start < 3:
        return None
    words = text[slice(*value)]
    if _PLAIN.fullmatch(words) and not _SHOWN.search(text, max(0, start - 4), start):
        return None
    return None if before in _INNER and not any(map(str.isdigit, words)) else value


@cache
def _common() -> frozenset[str]:
    """Returns the words that are no secrets by themselves."""
    lexicon = words()
    return frozenset({*lexicon.plain, *lexicon.glue, *lexicon.scopes, *lexicon.connected, *lexicon.verbs})


def sentence_words(text: str, sentences: Iterable[Range]) -> Iterator[Range]:
    """Yields the words, and the runs of words to the end of a clause, of sentences that may tell a secret."""
    common = _common()
    for start, stop in sentences:
        clause: list[tuple[int, int, bool]] = []
        end = start
        for match in _PIECE.finditer(text, start, stop):
            if clause and text[end : match.start()] != " ":
                yield from _phrases(clause)
                clause = []
            end = match.end()
            is_common = match[0].lower() in common
            clause.append((match.start(), end, is_common))
            if not is_common and end - match.start() >= 4 and _ALONE.match(text, match.start()) is not None:
                yield match.span()
        yield from _phrases(clause)
        for match in _JOINED.finditer(text, start, stop, overlapped=True):
            yield match.span("value")
        for match in _AMONG.finditer(text, start, stop):
            yield match.span()


def _phrases(clause: list[tuple[int, int, bool]]) -> Iterator[Range]:
    """Yields the runs to the end of a clause that begin it or follow a common word."""
    number = 0
    for place in range(max(0, len(clause) - WORDS), len(clause) - 1):
        if (place == 0 or clause[place - 1][2]) and not all(common for _, _, common in clause[place:]):
            yield clause[place][0], clause[-1][1]
            number += 1
            if number == PHRASES:
                return
