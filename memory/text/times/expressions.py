"""Finds time expressions in a text, in words and in numeric form (“2026-03-04 10:00”).

A month or day without a year is the latest one that has begun.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from . import cjk, english, korean
from .calendar import Period, ResolvedTime
from .english import latin_pattern
from .resolvers import TimeLanguage

_FIGURES = TimeLanguage()


def _moment(match: re.Match[str], now: datetime) -> ResolvedTime:
    """Resolves a numeric date and time, in the timezone of `now` if it has none."""
    zone = (match["zone"] or "").strip().upper().replace("Z", "+00:00")
    at = datetime.fromisoformat(f"{match['date']}T{match['clock']}{zone}")
    at = (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)).astimezone(UTC)
    precision = timedelta(seconds=1 if match["clock"].count(":") > 1 else 60)
    return ResolvedTime(Period(at, at), Period(at, at + precision))


_LATIN = (
    *english.PATTERNS,
    latin_pattern(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![T:./])", _FIGURES.date),
    latin_pattern(r"(?P<year>(?:19|20)\d\d)/(?P<month>\d\d?)/(?P<day>\d\d?)(?![/.])", _FIGURES.date),
    latin_pattern(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?![/.])", _FIGURES.date),
    latin_pattern(r"(?P<year>(?:19|20)\d\d)(?![./:,]\d)", _FIGURES.date, unambiguous=False),
    latin_pattern(
        r"(?P<date>\d{4}-\d\d-\d\d)(?:T| )(?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)"
        r"(?P<zone>\s?Z|\s?[+-]\d\d:?\d\d)?",
        _moment,
        unambiguous=False,
    ),
)
#: None of these matches without a character of its script.
_OTHERS = (*korean.PATTERNS, *cjk.PATTERNS)


@dataclass(frozen=True)
class TimeExpression:
    """A time expression at `text[start:stop]`."""

    start: int
    stop: int
    #: Its period as a bound: the day itself in “since 3 weeks ago”.
    exact: Period
    #: Its period as an answer to “when?”: half a week to either side of “3 weeks ago”.
    around: Period
    #: Whether it is a time even without a preposition such as “in” or “since”; “May” is ambiguous.
    unambiguous: bool


def find_times(text: str, now: datetime) -> Iterator[TimeExpression]:
    """Yields the time expressions in `text` in order, without overlaps, each the longest match at its start.

    `now` is aware and in the user's timezone. Nonexistent dates are skipped.
    """
    patterns = _LATIN if text.isascii() else (*_LATIN, *_OTHERS)
    matches = [(match, pattern) for pattern in patterns for match in pattern.regex.finditer(text)]
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
