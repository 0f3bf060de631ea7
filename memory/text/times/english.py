"""English time expressions: “3 weeks ago”, “last month”, “March 4, 2026”, “this morning”."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from .anchored import FROM_DATES
from .calendar import (
    SECONDS,
    ResolvedTime,
    ago,
    calendar_period,
    day_start,
    days,
    days_ago,
    latest_year,
    same,
    up_to_now,
    weekday_before,
    weekday_of_week,
)
from .patterns import latin_pattern
from .seasons import FIRST_MONTHS, last_season, latest_season, season
from .words import DAY, MONTH, NTH, WEEKDAY, WEEKDAY_NAMES, YEAR, month_number, weekday_number

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ABBREVIATED_UNITS = {"h": "hour", "hr": "hour", "d": "day", "w": "week", "wk": "week", "y": "year", "yr": "year"}
_HOURS = {"morning": (0, 12), "afternoon": (12, 18), "evening": (17, 24)}  # of a day, half open


def _unit(word: str) -> str:
    word = word.lower().rstrip("s") or "second"
    for unit in SECONDS:
        if word == unit or (word.startswith(unit[:2]) and unit.startswith(word)):
            return unit
    return _ABBREVIATED_UNITS.get(word, "minute")


def _count(word: str) -> tuple[float, float]:
    """A number in words or digits, and how many units to either side it may mean."""
    word = " ".join(word.lower().split())
    if word[0].isdigit():
        return float(word), 0.5
    if "couple" in word:
        return 2, 1
    if word in ("a few", "few", "several"):
        return 3.5, 1.5
    if word.startswith("half"):
        return 0.5, 0.25
    return (1 if word in ("a", "an") else _NUMBERS.index(word)), 0.5


def _ago(match: re.Match[str], now: datetime) -> ResolvedTime:
    (count, slack), unit = _count(match["n"]), match["unit"].lower()
    if unit.startswith("fortnight"):
        return ago(now, count * 2, "week", slack * 2)
    if count == 0.5 and unit.startswith("year"):
        return ago(now, 6, "month", 1)
    return ago(now, count, _unit(unit), slack)


def _past(match: re.Match[str], now: datetime) -> ResolvedTime:
    count, slack = _count(match["n"] or "one")
    return up_to_now(now, count + (slack if slack > 1 else 0), _unit(match["unit"]))


def _weekday(match: re.Match[str], now: datetime) -> ResolvedTime:
    groups = match.groupdict()
    weekday = weekday_number(groups["weekday"])
    which = (groups.get("which") or groups.get("week") or "last").lower()
    if groups.get("week"):
        return weekday_of_week(now, weekday, 0 if which == "this" else 1)
    return weekday_of_week(now, weekday, 0) if which == "this" else weekday_before(now, weekday)


def _calendar(match: re.Match[str], now: datetime) -> ResolvedTime:
    which = " ".join(match["which"].lower().split())
    return calendar_period(now, match["unit"].lower(), {"this": 0, "last": 1, "previous": 1}.get(which, 2))


def _named_month(match: re.Match[str], now: datetime) -> ResolvedTime:
    groups = match.groupdict()
    month = month_number(groups["month"])
    year = int(groups["year"]) if groups.get("year") else latest_year(month, 1, now)
    relative = (groups.get("relative") or "").lower()
    which = (groups.get("which") or "").lower()
    if "this" in (relative, which) or relative == "last":
        year = now.year - (relative == "last")
    if which == "last" and (year, month) == (now.year, now.month):
        year -= 1
    part = (groups.get("part") or "").lower()
    last = monthrange(year, month)[1]
    first_day, last_day = {"early": (1, 10), "mid": (11, 20), "late": (21, last)}.get(part, (1, last))
    return days(date(year, month, first_day), date(year, month, last_day), now)


def _named_day(match: re.Match[str], now: datetime) -> ResolvedTime | None:
    groups = match.groupdict()
    month, day = month_number(groups["month"]), int(groups["day"])
    year = int(groups["year"]) if groups.get("year") else latest_year(month, day, now)
    first = date(year, month, day)
    last = date(year, month, int(groups["to"])) if groups.get("to") else first
    return days(first, last, now) if first <= last else None


def _part_of_year(match: re.Match[str], now: datetime) -> ResolvedTime:
    first = {"early": 1, "mid": 5, "late": 9}[match["part"].lower()]
    year = int(match["year"])
    return days(date(year, first, 1), date(year, first + 3, monthrange(year, first + 3)[1]), now)


def _season(match: re.Match[str], now: datetime) -> ResolvedTime:
    groups, name = match.groupdict(), match["season"].lower()
    which = " ".join((groups.get("which") or "").lower().split())
    if groups.get("year"):
        return season(name, int(groups["year"]), now)
    if which in ("last", "this past", "past", "previous"):
        return last_season(name, now)
    return latest_season(name, now, 1 if which in ("last year", "before last") else 0)


def _weekdays_ago(match: re.Match[str], now: datetime) -> ResolvedTime:
    """“Two Fridays ago” is the one before last Friday."""
    count = int(_count(match["n"])[0])
    if match["weekday"].lower() == "weekend":
        return calendar_period(now, "weekend", count)
    latest = weekday_before(now, weekday_number(match["weekday"])).exact.start.astimezone(now.tzinfo).date()
    day = latest - timedelta(7 * (count - 1))
    return days(day, day, now)


def _today(match: re.Match[str], now: datetime) -> ResolvedTime:
    return days_ago(0, 0, now)


def _yesterday(match: re.Match[str], now: datetime) -> ResolvedTime:
    return days_ago(1, 1, now)


def _day_before_yesterday(match: re.Match[str], now: datetime) -> ResolvedTime:
    return days_ago(2, 2, now)


def _last_night(match: re.Match[str], now: datetime) -> ResolvedTime:
    """From 18:00 to 06:00."""
    stop = datetime.combine(now.date(), time(6), now.tzinfo).astimezone(UTC)
    return same(stop - timedelta(hours=12), stop)


def _part_of_today(match: re.Match[str], now: datetime) -> ResolvedTime:
    first, stop = _HOURS[match["part"].lower()]
    midnight = day_start(now.date(), now.tzinfo)
    return same(midnight + timedelta(hours=first), midnight + timedelta(hours=stop))


_N = r"(?P<n>\d{1,4}(?:\.\d)?|an? couple(?: of)?|a few|several|half an?|an?|" + "|".join(_NUMBERS[1:]) + ")"
_UNIT = r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|years?|yrs?)"
_SEASON = "(?P<season>" + "|".join(FIRST_MONTHS) + ")"
_PART = r"(?:(?P<part>early|mid|late)[ -])?"

PATTERNS = (
    latin_pattern(rf"(?:(?:about|around|some|roughly|over|almost|nearly) )?{_N} {_UNIT} ago", _ago),
    latin_pattern(rf"{_N} (?P<unit>fortnights?) ago", _ago),
    latin_pattern(r"(?P<n>\d{1,4})(?P<unit>s|m|min|h|hr|d|w|wk|y|yr) ago", _ago),
    latin_pattern(rf"(?:the )?(?:last|past|previous) {_N} {_UNIT}(?! of)", _past),
    latin_pattern(r"(?:the )?past(?P<n>) (?P<unit>minutes?|hours?|days?|weeks?|months?|years?)", _past),
    latin_pattern(r"(?:(?:earlier|later) )?today", _today),
    latin_pattern(r"yesterday(?: (?:morning|afternoon|evening))?", _yesterday),
    latin_pattern(r"(?:the )?day before yesterday", _day_before_yesterday),
    latin_pattern(r"last night", _last_night),
    latin_pattern(r"this (?P<part>morning|afternoon|evening)", _part_of_today),
    latin_pattern(
        r"(?:(?:earlier|later) )?(?:the )?(?P<which>this|last|previous) (?P<unit>weekend|week|month|quarter|year)",
        _calendar,
    ),
    latin_pattern(r"(?:the )?(?P<unit>weekend|week|month|year) (?P<which>before last)", _calendar),
    latin_pattern(rf"(?P<which>last|this(?: past)?) {WEEKDAY}", _weekday),
    latin_pattern(rf"{WEEKDAY}(?: of)? (?P<week>last|this) week", _weekday),
    latin_pattern(rf"(?P<week>last|this) week(?: on|,)? {WEEKDAY}", _weekday),
    latin_pattern(rf"{WEEKDAY}", _weekday, unambiguous=False),
    latin_pattern(rf"{_PART}{MONTH}(?: of)?,? {YEAR}", _named_month),
    latin_pattern(rf"{_PART}{MONTH}(?: of)? (?P<relative>last|this) year", _named_month),
    latin_pattern(rf"(?P<which>last|this) {MONTH}", _named_month),
    latin_pattern(MONTH, _named_month, unambiguous=False),
    latin_pattern(rf"(?P<part>early|mid|late)[ -]{MONTH}", _named_month),
    latin_pattern(rf"(?P<part>early|mid|late)[ -]{YEAR}", _part_of_year, unambiguous=False),
    latin_pattern(rf"{_N} (?P<weekday>{'|'.join(WEEKDAY_NAMES)}|weekend)s ago", _weekdays_ago),
    latin_pattern(rf"(?P<which>this past|this|last|past|previous) {_SEASON}", _season),
    latin_pattern(rf"(?:the )?{_SEASON} (?P<which>before last)", _season),
    latin_pattern(rf"(?:the )?{_SEASON}(?: of)? (?:{YEAR}|(?P<which>last year|this year))", _season),
    latin_pattern("(?P<season>spring|summer|autumn|winter)(?! of)", _season, unambiguous=False),  # no fall
    *(latin_pattern(form, resolve) for form, resolve in FROM_DATES),
    latin_pattern(rf"(?:the )?{DAY}(?: of)? {MONTH}(?:,? {YEAR})?", _named_day),
    latin_pattern(rf"{MONTH} {DAY},? {YEAR}", _named_day),
    latin_pattern(rf"{MONTH} (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)", _named_day),
    latin_pattern(rf"{MONTH} (?P<day>\d{{1,2}})(?!\s?\w)", _named_day),
    latin_pattern(rf"{MONTH} (?P<day>\d{{1,2}})(?=\W)", _named_day, unambiguous=False),
    latin_pattern(
        rf"(?P<day>\d{{1,2}}){NTH}(?:\s?[-–]\s?| to | and )(?P<to>\d{{1,2}}){NTH} {MONTH}(?:,? {YEAR})?",
        _named_day,
    ),
    latin_pattern(rf"{MONTH} (?P<day>\d{{1,2}}){NTH}\s?[-–]\s?(?P<to>\d{{1,2}}){NTH}(?:,? {YEAR})?", _named_day),
)
