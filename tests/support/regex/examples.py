"""Texts made from a pattern: those that it almost matches, which is where a matcher that backtracks spends its time."""

import re
from collections.abc import Iterator
from itertools import islice
from re import _constants as op  # the parse tree of `re`; there is no public one
from re import _parser as parser
from typing import Any

#: Characters for classes: one that most classes have comes first.
CHARACTERS = "aA0f_-.+/=: ;,\"'<>|&?@%#~!\n*é"


def beginnings(pattern: str, flags: int = 0) -> list[str]:
    """Returns texts that match the beginnings of a pattern: up to each of its nodes, by each of its branches."""
    tree = parser.parse(pattern, flags)
    found = dict.fromkeys(text for text in islice(_beginnings(tree, flags | tree.state.flags), 400) if text)
    return list(found)


def _beginnings(nodes: Any, flags: int) -> Iterator[str]:
    before = [""]
    for kind, value in nodes:
        for text in _texts(kind, value, flags):
            for start in before[:4]:
                yield start + text
        before = [start + text for start in before[:4] for text in _texts(kind, value, flags)][:8] or before


def _texts(kind: Any, value: Any, flags: int) -> list[str]:
    """Returns a few texts that a node matches."""
    if kind is op.LITERAL:
        return [chr(value)]
    if kind is op.NOT_LITERAL:
        return [next(character for character in CHARACTERS if ord(character) != value)]
    if kind is op.ANY:
        return ["a"]
    if kind is op.IN:
        matcher = re.compile(_class_of(value), flags & re.IGNORECASE)
        return [character for character in CHARACTERS if matcher.fullmatch(character)][:2] or [_in_class(value)]
    if kind is op.BRANCH:
        return [text for branch in value[1] for text in _wholes(branch, flags)[:1]][:12]
    if kind is op.SUBPATTERN:
        return _wholes(value[3], flags)
    if kind is op.ATOMIC_GROUP:
        return _wholes(value, flags)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, most, inner = value
        return [
            text * min(times, 60) for times in (least, least + 1) for text in _wholes(inner, flags)[:2] if times <= most
        ]
    return [""]


def _wholes(nodes: Any, flags: int) -> list[str]:
    found = [""]
    for kind, value in nodes:
        found = [start + text for start in found[:3] for text in _texts(kind, value, flags)[:6]]
    return found


def _in_class(items: Any) -> str:
    kind, value = items[0]
    return chr(value if kind is op.LITERAL else value[0])


def _class_of(items: Any) -> str:
    """Returns the source of a class from its parse tree."""
    names = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w", "NOT_DIGIT": r"\D", "NOT_SPACE": r"\S", "NOT_WORD": r"\W"}
    source = ""
    for kind, value in items:
        if kind is op.NEGATE:
            source += "^"
        elif kind is op.LITERAL:
            source += re.escape(chr(value))
        elif kind is op.RANGE:
            source += f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
        else:
            source += names[str(value).removeprefix("CATEGORY_")]
    return f"[{source}]"
