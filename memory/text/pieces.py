"""Pieces of a long text: what an excerpt of it may hold, such as a sentence, a line or a member of a JSON object."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .passages import Passage

#: A piece has at most this many characters where the text has boundaries, and is joined to the next up to `FEWEST`.
MOST, FEWEST = 240, 24
#: An object or a list of several members.
_STRUCTURED = re.compile(r"[\[{]\s*[\[{\"]")
_SENTENCE_ENDS = re.compile(r"\n+|(?<=[.!?…])[\"')\]]?\s+|(?<=[。！？])")
_WORD_ENDS = re.compile(r"\s+")
#: A bracket, or a comma before a member: in a sentence within a string, a word follows.
_TOKEN = re.compile(r'[\[\]{}]|,(?=\s?["\[{\d-])')


class _Comma(NamedTuple):
    """A place after a comma between members."""

    at: int
    depth: int


def is_structured(text: str) -> bool:
    """Returns True if a text has an object or a list of several members."""
    return _STRUCTURED.search(text) is not None


def split_pieces(text: str) -> list[Passage]:
    """Returns the pieces of `text`, in order and covering all of it; none for an empty text. A member of a JSON object
    or an element of a list stays whole if it is short; text that has faded in part is split as far as it can be
    told."""
    return list(_members(text) if is_structured(text) else _prose(text, 0, len(text)))


def _members(text: str) -> Iterator[Passage]:
    """Yields the members of structured text."""
    depth = 0
    commas: list[_Comma] = []
    for match in _TOKEN.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        elif mark == ",":
            commas.append(_Comma(match.end(), depth))
    waiting = [(0, len(text), 0, len(commas))]
    while waiting:
        start, stop, first, last = waiting.pop()
        if stop - start <= MOST:
            yield Passage(start, stop)
            continue
        inside = commas[first:last]
        if not inside:
            yield from _prose(text, start, stop)
            continue
        shallow = min(comma.depth for comma in inside)
        parts = []
        begin = start
        at = first
        for number, comma in enumerate(inside, first):
            if comma.depth == shallow:
                parts.append((begin, comma.at, at, number))
                begin = comma.at
                at = number + 1
        parts.append((begin, stop, at, last))
        waiting += [part for part in reversed(parts) if part[1] > part[0]]


def _prose(text: str, start: int, stop: int) -> Iterator[Passage]:
    """Yields the sentences and lines of a range, long ones by words."""
    begin = start
    for at in (*(match.end() for match in _SENTENCE_ENDS.finditer(text, start, stop)), stop):
        if at - begin < FEWEST and at < stop:
            continue
        while at - begin > MOST:
            ends = [match.end() for match in _WORD_ENDS.finditer(text, begin + FEWEST, begin + MOST)]
            cut = ends[-1] if ends else begin + MOST
            yield Passage(begin, cut)
            begin = cut
        if at > begin:
            yield Passage(begin, at)
        begin = at
