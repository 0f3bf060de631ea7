"""Finding English, Korean and numeric time expressions in a text.

A month or a day without a year is the latest one that has begun.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from . import cjk, english, korean
from .calendar import Period
from .patterns import NUMERIC_PATTERNS

_PATTERNS = (*english.PATTERNS, *NUMERIC_PATTERNS, *korean.PATTERNS, *cjk.PATTERNS)


@dataclass(frozen=True)
class TimeExpression:
    """A time expression at `text[start:stop]`."""

    start: int
    stop: int
    #: The period it names as a bound: the day itself in “since 3 weeks ago”.
    exact: Period
    #: The period it names as an answer to “when?”: half a week to either side of “3 weeks ago”.
    around: Period
    #: Whether it is a time without a word such as “in” or “since” before it: “May” may be anything.
    unambiguous: bool


def find_times(text: str, now: datetime) -> Iterator[TimeExpression]:
    """The time expressions in `text`, ascending and not overlapping; the longest of those that begin together.

    `now` is aware and in the user's timezone. Dates that do not exist are left out.
    """
    matches = [(match, pattern) for pattern in _PATTERNS for match in pattern.regex.finditer(text)]
    matches.sort(key=lambda item: (item[0].start(), -item[0].end()))
    stop = 0
    for match, pattern in matches:
        if match.start() < stop:
            continue
        try:
            resolved = pattern.resolve(match, now)
        except (ValueError, OverflowError):
            continue
        if resolved is not None:
            stop = match.end()
            yield TimeExpression(match.start(), stop, resolved.exact, resolved.around, pattern.unambiguous)
