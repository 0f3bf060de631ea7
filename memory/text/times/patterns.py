"""A pattern of time expressions, and those written in figures: “2026-03-04”, “2026-03”, “2026-03-04 10:00”."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from .calendar import Period, ResolvedTime, date_in_figures

MOST_BLANKS = 8  # between words of an expression, so that every pattern is linear

#: Resolves a match, seen from an aware `now` in the user's timezone; None or `ValueError` where no such time exists.
Resolver = Callable[[re.Match[str], datetime], ResolvedTime | None]


class TimePattern(NamedTuple):
    """A form that time expressions take, and what they then name."""

    regex: re.Pattern[str]
    resolve: Resolver
    #: Whether it is a time without a word such as “in” or “since” before it: “May” may be anything.
    unambiguous: bool


def latin_pattern(pattern: str, resolve: Resolver, unambiguous: bool = True) -> TimePattern:
    """A pattern in Latin script, not part of a longer word or number; a space matches any white space."""
    regex = rf"(?<![\w./:+-]){pattern}(?:['’]s)?(?![\w-])".replace(" ", rf"\s{{1,{MOST_BLANKS}}}")
    return TimePattern(re.compile(regex, re.IGNORECASE | re.ASCII), resolve, unambiguous)


def _date(match: re.Match[str], now: datetime) -> ResolvedTime:
    year, month, day = (int(match.groupdict().get(name) or 0) for name in ("year", "month", "day"))
    return date_in_figures(year, month, day, now)


def _moment(match: re.Match[str], now: datetime) -> ResolvedTime:
    zone = (match["zone"] or "").strip().upper().replace("Z", "+00:00")
    at = datetime.fromisoformat(f"{match['date']}T{match['clock']}{zone}")
    at = (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)).astimezone(UTC)
    precision = timedelta(seconds=1 if match["clock"].count(":") > 1 else 60)
    return ResolvedTime(Period(at, at), Period(at, at + precision))


NUMERIC_PATTERNS = (
    latin_pattern(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![T:./])", _date),
    latin_pattern(r"(?P<year>(?:19|20)\d\d)/(?P<month>\d\d?)/(?P<day>\d\d?)(?![/.])", _date),
    latin_pattern(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?![/.])", _date),
    latin_pattern(r"(?P<year>(?:19|20)\d\d)(?![./:,]\d)", _date, unambiguous=False),
    latin_pattern(
        r"(?P<date>\d{4}-\d\d-\d\d)(?:T| )(?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)"
        r"(?P<zone>\s?Z|\s?[+-]\d\d:?\d\d)?",
        _moment,
        unambiguous=False,
    ),
)
