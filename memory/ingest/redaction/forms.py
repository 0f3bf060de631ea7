"""The forms of text that rules replace, and how they are found in a text."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import thread_time

import regex

from . import numbers
from .labelled import labelled
from .matches import RuleMatch
from .nearby import nearby
from .scorer import scored
from .values import Shape, shape_of

SECRETS = Path(__file__).parents[1] / "data" / "secrets.toml"
#: Most processor time that all rules together may take for a message, and for each of its characters, in seconds:
#: several times what those of the package take. What they have not decided by then is withheld.
TIME_S = 1.0
TIME_PER_CHARACTER_S = 12e-6
_APART = "(?<![A-Za-z0-9_-])"


class Undecided(Exception):
    """A rule took longer than it may."""


class Time:
    """Processor time of this thread that is left for a message. Time in which the thread waits does not count."""

    def __init__(self, seconds: float) -> None:
        self._end = thread_time() + seconds

    def extend(self, seconds: float) -> None:
        """Adds time for a text of the message."""
        self._end += seconds

    def left(self) -> float:
        """Returns the seconds that are left. Raises `Undecided` if none are."""
        seconds = self._end - thread_time()
        if seconds <= 0:
            raise Undecided
        return seconds


@dataclass(frozen=True)
class Subject:
    """A text to search."""

    text: str
    #: the text in lower case, as long as the text
    lower: str
    time: Time
    #: what was found so far
    matches: list[RuleMatch] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, time: Time) -> "Subject":
        """Returns the subject of a text."""
        lower = text.lower()
        if len(lower) != len(text):
            lower = "".join(low if len(low := character.lower()) == 1 else character for character in text)
        return cls(text, lower, time)


@dataclass(frozen=True)
class Form:
    """A form of text that a rule replaces."""

    #: shown in its place
    name: str
    #: finds it in a text, or raises `TimeoutError` or `Undecided`
    find: Callable[[Subject], Iterator[RuleMatch]]

    def found(self, subject: Subject) -> list[RuleMatch]:
        """Returns the places of a text that have the form. Raises `Undecided`."""
        while True:
            subject.time.left()
            try:
                return list(self.find(subject))
            except TimeoutError:
                continue  # by the clock, not by this thread's time


def pattern_form(
    name: str,
    rule: str,
    pattern: "regex.Pattern[str]",
    order: int,
    needed: tuple[str, ...] = (),
    *,
    min_shape: Shape = Shape.PLACEHOLDER,
) -> Form:
    """Returns the form of what a pattern matches, or its group `secret` if it has one. `needed`: texts of which one
    must occur; `min_shape`: the least that a match must look like."""
    group = "secret" if "secret" in pattern.groupindex else 0

    def find(subject: Subject) -> Iterator[RuleMatch]:
        if needed and not any(part in subject.text for part in needed):
            return
        for match in pattern.finditer(subject.text, timeout=subject.time.left()):
            start, stop = match.span(group) if match[group] is not None else match.span()
            if start < stop and (min_shape is Shape.PLACEHOLDER or shape_of(subject.text[start:stop]) >= min_shape):
                yield RuleMatch(start, stop, name, rule, order)

    return Form(name, find)


def _number_form(rule: str, find: Callable[[str, float], Iterator[tuple[int, int]]], order: int) -> Form:
    def found(subject: Subject) -> Iterator[RuleMatch]:
        for start, stop in find(subject.text, subject.time.left()):
            yield RuleMatch(start, stop, rule, rule, order)

    return Form(rule, found)


def _address_form(rule: str, pattern: "regex.Pattern[str]", order: int, *, whole: bool = False) -> Form:
    def found(subject: Subject) -> Iterator[RuleMatch]:
        for match in pattern.finditer(subject.text, timeout=subject.time.left()):
            yield RuleMatch(*match.span(), rule, rule, order, whole)

    return Form(rule, found)


def _private() -> list[Form]:
    def find(subject: Subject) -> Iterator[RuleMatch]:
        at = 0
        while (start := subject.lower.find("<private>", at)) >= 0:
            end = subject.lower.find("</private>", start)
            at = len(subject.text) if end < 0 else end + len("</private>")
            yield RuleMatch(start, at, "private", "private", 0)

    return [Form("private", find)]


def secret_patterns() -> Mapping[str, str]:
    """Returns the forms of secrets of `data/secrets.toml`, name → pattern."""
    return {name: _pattern_of(fields) for name, fields in _data().items()}


@cache
def _data() -> dict[str, dict[str, str | bool]]:
    return tomllib.loads(SECRETS.read_text(encoding="utf-8"))


def _pattern_of(fields: Mapping[str, str | bool]) -> str:
    return str(fields["pattern"]) if fields.get("inside") else f"{_APART}(?:{fields['pattern']})"


@cache
def _secrets() -> list[Form]:
    issued = [
        pattern_form(
            name.replace("-", " "),
            "secrets",
            regex.compile(_pattern_of(fields)),
            10 + number,
            tuple(str(fields["with"]).split("|")) if "with" in fields else (),
            min_shape=Shape.STRONG
            if fields.get("strong")
            else Shape.WORD
            if fields.get("value")
            else Shape.PLACEHOLDER,
        )
        for number, (name, fields) in enumerate(_data().items())
    ]
    return [*issued, Form("secret", _context_secrets)]


def _context_secrets(subject: Subject) -> Iterator[RuleMatch]:
    """Yields what is told as a secret, by the words around it."""
    text = subject.text
    lower = subject.lower
    check = subject.time.left
    proposed = [*labelled(text, lower, subject.matches, check, order=200), *nearby(text, lower, check, order=201)]
    yield from scored(text, subject.matches, proposed, check, order=202)


#: Rule → its forms.
RULES: Mapping[str, Callable[[], list[Form]]] = {
    "private": _private,
    "secrets": _secrets,
    "iban": lambda: [_number_form("iban", numbers.ibans, 110)],
    "card": lambda: [_number_form("card", numbers.cards, 111)],
    "email": lambda: [_address_form("email", numbers.EMAIL, 300, whole=True)],
    "phone": lambda: [_address_form("phone", numbers.PHONE, 301)],
}
