"""Resolvers of time expressions, shared by all languages. A language supplies the words that its patterns capture.

Pattern groups: `n` and `unit`; `period`; `which`, `week` or `relative` with the word that they qualify; `year`,
`month`, `day`, `to`, `part`, `weekday`, `season`.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from .calendar import (
    ResolvedTime,
    ago,
    calendar_period,
    days,
    last_season,
    latest_season,
    latest_year,
    season,
    up_to_now,
    weekday_before,
    weekday_of_week,
)

#: Resolves a match relative to an aware `now` in the user's timezone; None or `ValueError` if no such time exists.
Resolver = Callable[[re.Match[str], datetime], ResolvedTime | None]

#: First and last days; the late part of a month, which is not listed, ends with it.
_PARTS_OF_MONTH = {"early": (1, 10), "mid": (11, 20)}


@dataclass(frozen=True)
class TimePattern:
    """A pattern of time expressions and its resolver."""

    source: str
    resolve: Resolver
    #: Whether it is a time even without a preposition such as “in” or “since”; “May” is ambiguous.
    unambiguous: bool = True
    flags: re.RegexFlag = re.NOFLAG

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled for the first text that may have a match."""
        return re.compile(self.source, self.flags)


@dataclass(frozen=True)
class TimeLanguage:
    """The time vocabulary of a language, in lower case with single spaces."""

    #: word → number
    numbers: Mapping[str, int] = field(default_factory=dict)
    #: word for an approximate number → number, and tolerance in units to either side
    vague: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    #: word → English name of the unit
    units: Mapping[str, str] = field(default_factory=dict)
    #: word → unit, and number of units before the current one
    periods: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    #: prefixes of words for the current unit
    current: tuple[str, ...] = ()
    #: prefixes of words for the unit before the last; all other words mean the last unit
    before_last: tuple[str, ...] = ()
    #: weekday → its number, 0 for Monday
    weekdays: Mapping[str, int] = field(default_factory=dict)
    #: names from January on, distinct in their first three letters; () where months are numbers
    months: Sequence[str] = ()
    #: word → English name of the season
    seasons: Mapping[str, str] = field(default_factory=dict)
    #: word before a season → years before the latest one that has begun; None for the latest that has ended
    seasons_back: Mapping[str, int | None] = field(default_factory=dict)
    #: prefix of a word → “early”, “mid” or “late”
    parts: Mapping[str, str] = field(default_factory=dict)

    def ago(self, match: re.Match[str], now: datetime) -> ResolvedTime:
        """Resolves `n` units ago."""
        count, slack, unit = self._amount(match)
        if count == 0.5 and unit == "year":
            return ago(now, 6, "month", 1)
        return ago(now, count, unit, slack)

    def past(self, match: re.Match[str], now: datetime) -> ResolvedTime:
        """Resolves the last `n` units."""
        count, slack, unit = self._amount(match)
        return up_to_now(now, count + (slack if slack > 1 else 0), unit)

    def period(self, match: re.Match[str], now: datetime) -> ResolvedTime:
        """Resolves a `period`, `which` unit, or the `n`th unit back."""
        words = _said(match)
        if "period" in words:
            return calendar_period(now, *self.periods[words["period"]])
        back = int(self._number(words["n"])[0]) if "n" in words else self._back(words["which"])
        return calendar_period(now, self.units.get(words["unit"], words["unit"]), back)

    def weekday(self, match: re.Match[str], now: datetime) -> ResolvedTime:
        """Resolves a weekday: of a `week`, `which` one, the `n`th before today, or the latest."""
        words = _said(match)
        weekday = self.weekdays[words["weekday"]]
        if "week" in words:
            return weekday_of_week(now, weekday, self._back(words["week"]))
        back = self._back(words["which"]) if "which" in words else 1
        if "n" in words:
            back = int(self._number(words["n"])[0])
        return weekday_before(now, weekday, back) if back else weekday_of_week(now, weekday, 0)

    def date(self, match: re.Match[str], now: datetime) -> ResolvedTime | None:
        """Resolves a day, a range of days, a month or a part of one, or a year. Without a year, it is the latest that
        has begun. Returns None for a range that ends before it starts."""
        words = _said(match)
        month = self._month_number(words["month"]) if "month" in words else None
        day = int(self._number(words["day"])[0]) if "day" in words else None
        if "relative" in words:
            year = now.year - self._back(words["relative"])
        elif "year" in words:
            year = int(words["year"])
        elif month is None or ("which" in words and not self._back(words["which"])):
            year = now.year
        else:
            year = latest_year(month, 1 if day is None else day, now)
            if "which" in words and day is None and (year, month) == (now.year, now.month):
                year -= 1
        if month is None:
            return days(date(year, 1, 1), date(year, 12, 31), now)
        first, last = (1, monthrange(year, month)[1]) if day is None else (day, day)
        if "part" in words:
            part = next(part for word, part in self.parts.items() if words["part"].startswith(word))
            first, last = _PARTS_OF_MONTH.get(part, (21, last))
        last = int(words.get("to", last))
        begin = date(year, month, first)
        end = date(year, month, last)
        return days(begin, end, now) if begin <= end else None

    def season(self, match: re.Match[str], now: datetime) -> ResolvedTime:
        """Resolves a season: of a year, `which` one, or the latest that has begun."""
        words = _said(match)
        name = self.seasons[words["season"]]
        if "year" in words:
            return season(name, int(words["year"]), now)
        if "relative" in words:
            return season(name, now.year - self._back(words["relative"]), now)
        back = self.seasons_back[words["which"]] if "which" in words else 0
        return last_season(name, now) if back is None else latest_season(name, now, back)

    def _amount(self, match: re.Match[str]) -> tuple[float, float, str]:
        """Returns the number `n` (default 1), its tolerance in units to either side, and the unit (default days)."""
        words = _said(match)
        unit = words.get("unit", "day")
        count, slack = self._number(words["n"]) if "n" in words else (1.0, 0.5)
        return count, slack, self.units.get(unit, unit.rstrip("s"))

    def _number(self, text: str) -> tuple[float, float]:
        """Returns a number and its tolerance in units to either side."""
        if text in self.vague:
            return self.vague[text]
        return float(self.numbers.get(text, 0) or text), 0.5

    def _month_number(self, text: str) -> int:
        if not self.months:
            return int(self._number(text)[0])
        return next(number for number, name in enumerate(self.months, 1) if name.startswith(text[:3]))

    def _back(self, text: str) -> int:
        """Returns the number of periods before the current one that “this”, “last” and the like denote."""
        if text.startswith(self.before_last):
            return 2
        return 0 if text.startswith(self.current) else 1


def _said(match: re.Match[str]) -> dict[str, str]:
    """Returns the captured groups, in lower case with single spaces."""
    return {name: " ".join(text.lower().split()) for name, text in match.groupdict().items() if text}


def one_of(words: Iterable[str]) -> str:
    """Returns a regex alternation of the words, longest first."""
    return "|".join(sorted(words, key=len, reverse=True))
