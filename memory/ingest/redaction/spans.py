"""Ranges of a text that may be a secret: what stands where values stand, whatever its look."""

from collections.abc import Iterator

import regex

from .ranges import Range, bare_at, in_template, quoted_at
from .words import JOINED_SIGNS

#: Most values that are looked for within one, or within so many characters that are none.
TRIES = 6
REACH = 64
_OPENING = "\"'`«“„‘‚「『"
_START = regex.compile(
    rf"(?:(?<!\S)|(?<=[\s\"'`=:(\[{{<>,;|&«“„‘‚»@/#→{JOINED_SIGNS}*_…?-]))"
    rf"(?=[^\s{JOINED_SIGNS}\"'`=:(\[{{<>,;|&«»“”„‘’)\]}}])"
)
#: Starts inside a name or a number are tried only behind a sign that joins a label with its value.
_INNER = frozenset("*_-#@/")
#: Signs that may stand inside a value.
_JOINTS = frozenset("\"'`=:([{<>,;|&@/#*_?-")
_PLAIN = regex.compile(r"\p{L}[\p{Ll}’']*|\p{Lu}+")
#: A word of prose: asked first, since most are.
_WORD = regex.compile(r"\p{L}[\p{Ll}’']{0,60}+(?=[,.;:!?)]{0,3}+(?:\s|$))")
_SHOWN = regex.compile(r"[\"'`=:«“„‘：「『→>*(]\s{0,3}$")
_NUMBERS = regex.compile(
    r"(?<![\p{L}\d.,/:-])(?:\d{1,4}(?:-\d{1,4}){1,7}|\d{1,4}(?: \d{1,4}){1,7})(?![\p{Latin}\d]|[.,:/-]\d)"
)
_WALLET = regex.compile(r"(?<![\p{L}'’-])\p{Ll}{3,12}(?:,? \p{Ll}{3,12}){11,23}+(?![\p{L}'’-]| \p{L})")
_GROUPS = regex.compile(r"(?<![\p{L}\d])[A-Z2-7]{4}(?: [A-Z2-7]{4}){3,15}(?![\p{Latin}\d])")
_PHRASE = regex.compile(
    r"[\"'`„“«「『‘]\s?(?P<value>[^\s\"'`„“”«»「」『』‘’\n:=<>{}][^\"`„“”«»「」『』\n:=<>{}]{2,60}?)\s?[\"'`”“»」』’](?!\p{L})"
)
_LINE = regex.compile(r"(?m)(?:[:=：]\s{0,3})(?P<value>[\p{L}\d'’-]{1,24}(?: [\p{L}\d'’-]{1,24}){1,7})[.!]?$")
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
    for pattern in (_NUMBERS, _WALLET, _GROUPS):
        for match in pattern.finditer(text):
            yield match.span()
    for pattern in (_PHRASE, _LINE):
        for match in pattern.finditer(text):
            if " " in match["value"] or _SCRIPT.search(match["value"]):
                yield match.span("value")


def _value_at(text: str, start: int) -> Range | None:
    before = text[start - 1 : start]
    if _WORD.match(text, start) and not _SHOWN.search(text, max(0, start - 4), start):
        return None
    value = quoted_at(text, start - 1) if before and before in _OPENING else None
    if value is None or value[0] != start or " " in text[slice(*value)]:
        value = bare_at(text, start)
    if value is None or value[1] - start < 3:
        return None
    words = text[slice(*value)]
    if _PLAIN.fullmatch(words) and not _SHOWN.search(text, max(0, start - 4), start):
        return None
    return None if before in _INNER and not any(map(str.isdigit, words)) else value
