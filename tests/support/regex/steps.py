"""Steps that a backtracking matcher takes: how the work of a pattern grows, without measuring time.

The matcher tries what Python's `re` tries, in the same order and without its shortcuts, so that it never takes fewer
steps than `re` by more than a constant factor.
"""

import re
import sys
from collections.abc import Callable
from functools import cache
from re import _constants as op  # the parse tree of `re`; there is no public one
from re import _parser as parser
from typing import Any

#: Where a match ends, or -1.
Continuation = Callable[[int], int]
Matcher = Callable[[int, Continuation], int]


class TooManySteps(Exception):
    """The matcher took more steps than were allowed."""


def search_steps(pattern: re.Pattern[str], text: str, most: int) -> int:
    """Steps to find all matches of `pattern` in `text`. Raises `TooManySteps` beyond `most`."""
    return _search(pattern).run(text, most)


@cache
def _search(pattern: re.Pattern[str]) -> "_Search":
    return _Search(pattern)


def _end(position: int) -> int:
    return position


class _Search:
    """The matcher of a pattern, made once for all texts."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.text = ""
        self.most = self.steps = 0
        self.match = self.sequence(parser.parse(pattern.pattern, pattern.flags), pattern.flags)

    def run(self, text: str, most: int) -> int:
        self.text, self.most, self.steps = text, most, 0
        start = 0
        while start <= len(self.text):
            end = self.match(start, _end)
            start = end if end > start else start + 1
        return self.steps

    def count(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > self.most:
            raise TooManySteps

    def sequence(self, nodes: Any, flags: int) -> Matcher:
        matchers = [self.node(kind, value, flags) for kind, value in nodes]
        if not matchers:
            return lambda position, then: then(position)
        first, *rest = reversed(matchers)
        matcher = first
        for earlier in rest:
            matcher = _joined(earlier, matcher)
        return matcher

    def node(self, kind: Any, value: Any, flags: int) -> Matcher:
        if (test := _character_test(kind, value, flags)) is not None:
            return self.character(test)
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            return self.repeat(kind, value, flags)
        if kind is op.SUBPATTERN:
            _, added, removed, nodes = value
            return self.sequence(nodes, (flags | added) & ~removed)
        if kind is op.ATOMIC_GROUP:
            return _atomic(self.sequence(value, flags))
        if kind is op.BRANCH:
            firsts = [_character_test(*nodes[0], flags) if nodes else None for nodes in value[1]]
            return self.branch([self.sequence(nodes, flags) for nodes in value[1]], firsts)
        if kind in (op.ASSERT, op.ASSERT_NOT):
            return self.look(value, kind is op.ASSERT, flags)
        if kind is op.AT:
            return self.at(value, flags)
        raise NotImplementedError(f"{kind} in a pattern")

    def character(self, test: Callable[[str], bool]) -> Matcher:
        def match(position: int, then: Continuation) -> int:
            self.count()
            return then(position + 1) if position < len(self.text) and test(self.text[position]) else -1

        return match

    def branch(self, alternatives: list[Matcher], firsts: list[Callable[[str], bool] | None]) -> Matcher:
        """Tries matchers in turn. Those whose first character differs are counted and not called: a rule has hundreds
        of them."""
        tried: dict[str, tuple[list[tuple[int, Matcher]], int]] = {}

        def tried_at(character: str) -> tuple[list[tuple[int, Matcher]], int]:
            matchers, steps = [], 0
            for matcher, first in zip(alternatives, firsts, strict=True):
                steps += 1
                if first is None or (character and first(character)):
                    matchers.append((steps, matcher))
                    steps = 0
                else:
                    steps += 1
            return matchers, steps

        def match(position: int, then: Continuation) -> int:
            character = self.text[position : position + 1]
            if character not in tried:
                tried[character] = tried_at(character)
            matchers, more = tried[character]
            for steps, matcher in matchers:
                self.count(steps)
                if (end := matcher(position, then)) >= 0:
                    return end
            self.count(more)
            return -1

        return match

    def look(self, value: Any, wanted: bool, flags: int) -> Matcher:
        direction, nodes = value
        back = nodes.getwidth()[0] if direction < 0 else 0
        inner = self.sequence(nodes, flags)

        def match(position: int, then: Continuation) -> int:
            self.count()
            found = position >= back and inner(position - back, _end) >= 0
            return then(position) if found == wanted else -1

        return match

    def at(self, where: Any, flags: int) -> Matcher:
        def holds(position: int) -> bool:
            text = self.text
            if where is op.AT_BEGINNING:
                return position == 0 or bool(flags & re.MULTILINE and text[position - 1] == "\n")
            if where is op.AT_BEGINNING_STRING:
                return position == 0
            if where is op.AT_END:
                before_end = text[position:] == "\n" or bool(
                    flags & re.MULTILINE and text[position : position + 1] == "\n"
                )
                return position == len(text) or before_end
            if where is op.AT_END_STRING:
                return position == len(text)
            words = [0 <= i < len(text) and _is_word(text[i], flags) for i in (position - 1, position)]
            return (words[0] != words[1]) == (where is op.AT_BOUNDARY)

        def match(position: int, then: Continuation) -> int:
            self.count()
            return then(position) if holds(position) else -1

        return match

    def repeat(self, kind: Any, value: Any, flags: int) -> Matcher:
        least, most, nodes = value
        most = sys.maxsize if most is op.MAXREPEAT else most
        test = _character_test(*nodes[0], flags) if len(nodes) == 1 else None
        if test is not None and kind is not op.MIN_REPEAT:
            return self.run_of(test, least, most, possessive=kind is op.POSSESSIVE_REPEAT)
        body = self.sequence(nodes, flags)
        lazy = kind is op.MIN_REPEAT

        def attempt(position: int, then: Continuation, count: int, last: int) -> int:
            self.count()
            if lazy and count >= least and (end := then(position)) >= 0:
                return end
            if count < least or (count < most and position != last):
                end = body(position, lambda after: attempt(after, then, count + 1, position))
                if end >= 0:
                    return end
            return -1 if lazy or count < least else then(position)

        greedy: Matcher = lambda position, then: attempt(position, then, 0, -1)  # noqa: E731
        return _atomic(greedy) if kind is op.POSSESSIVE_REPEAT else greedy

    def run_of(self, test: Callable[[str], bool], least: int, most: int, *, possessive: bool) -> Matcher:
        def match(position: int, then: Continuation) -> int:
            end = position
            while end < len(self.text) and end - position < most and test(self.text[end]):
                end += 1
            self.count(end - position + 1)
            while end - position >= least:
                if (found := then(end)) >= 0 or possessive:
                    return found
                end -= 1
                self.count()
            return -1

        return match


def _joined(first: Matcher, second: Matcher) -> Matcher:
    return lambda position, then: first(position, lambda after: second(after, then))


def _atomic(inner: Matcher) -> Matcher:
    def match(position: int, then: Continuation) -> int:
        end = inner(position, _end)
        return then(end) if end >= 0 else -1

    return match


def _is_word(character: str, flags: int) -> bool:
    return (character.isalnum() or character == "_") and (character.isascii() or not flags & re.ASCII)


def _category(name: Any, character: str, flags: int) -> bool:
    plain = not flags & re.ASCII or character.isascii()
    tests = {
        "WORD": _is_word(character, flags),
        "DIGIT": character.isdecimal() and plain,
        "SPACE": character.isspace() and plain,
    }
    parts = str(name).removeprefix("CATEGORY_").split("_")
    return tests[parts[-1]] == (parts[0] != "NOT")


def _character_test(kind: Any, value: Any, flags: int) -> Callable[[str], bool] | None:
    """What a node asks of one character; None if it does not match exactly one."""
    if kind is op.ANY:
        return lambda c: bool(flags & re.DOTALL) or c != "\n"
    if kind not in (op.LITERAL, op.NOT_LITERAL, op.IN):
        return None
    items = value if kind is op.IN else [(kind, value)]

    def one(item: Any, character: str) -> bool:
        what, argument = item
        if what is op.CATEGORY:
            return _category(argument, character, flags)
        forms = {character, character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
        codes = [ord(form) for form in forms if len(form) == 1]
        if what is op.RANGE:
            return any(argument[0] <= code <= argument[1] for code in codes)
        return (argument in codes) == (what is op.LITERAL)

    known: dict[str, bool] = {}

    def test(character: str) -> bool:
        if character not in known:
            negated = items[0][0] is op.NEGATE
            known[character] = any(one(item, character) for item in items[negated:]) != negated
        return known[character]

    return test
