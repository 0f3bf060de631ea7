"""English time expressions: “3 weeks ago”, “last month”, “March 4, 2026”, “the Monday before July 24, 2023”."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from .calendar import FIRST_MONTHS, ResolvedTime, calendar_period, day_start, days, same
from .resolvers import Resolver, TimeLanguage, TimePattern

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = {"morning": (0, 12), "afternoon": (12, 18), "evening": (17, 24)}  # of a day, half open

ENGLISH = TimeLanguage(
    numbers={name: number for number, name in enumerate(_NUMBERS, 1)} | {"a": 1, "an": 1},
    vague={
        **dict.fromkeys(("a couple", "an couple", "a couple of", "an couple of"), (2.0, 1.0)),
        **dict.fromkeys(("a few", "several"), (3.5, 1.5)),
        **dict.fromkeys(("half a", "half an"), (0.5, 0.25)),
    },
    units={
        **dict.fromkeys(("s", "sec", "secs"), "second"),
        **dict.fromkeys(("m", "min", "mins"), "minute"),
        **dict.fromkeys(("h", "hr", "hrs"), "hour"),
        **dict.fromkeys(("w", "wk", "wks"), "week"),
        **dict.fromkeys(("y", "yr", "yrs"), "year"),
        "d": "day",
    },
    periods={"today": ("day", 0), "yesterday": ("day", 1), "day before yesterday": ("day", 2)},
    current=("this",),
    before_last=("before last",),
    weekdays={name: number for number, name in enumerate(_WEEKDAYS)},
    months=_MONTHS,
    seasons={name: name for name in FIRST_MONTHS},
    seasons_back={
        **dict.fromkeys(("last", "this past", "past", "previous")),
        **dict.fromkeys(("this", "this year"), 0),
        **dict.fromkeys(("last year", "before last"), 1),
    },
    parts={"early": "early", "mid": "mid", "late": "late"},
)


MOST_BLANKS = 8  # between words of an expression; a bound keeps matching linear


def latin_pattern(pattern: str, resolve: Resolver, unambiguous: bool = True) -> TimePattern:
    """Returns a pattern in Latin script that matches whole words only. A space matches up to `MOST_BLANKS` whitespace
    characters."""
    regex = rf"(?<![\w./:+-]){pattern}(?:['’]s)?(?![\w-])".replace(" ", rf"\s{{1,{MOST_BLANKS}}}")
    return TimePattern(regex, resolve, unambiguous, re.IGNORECASE | re.ASCII)


def _part_of_year(match: re.Match[str], now: datetime) -> ResolvedTime:
    """Returns a third of a year: “early 2025”."""
    first = {"early": 1, "mid": 5, "late": 9}[match["part"].lower()]
    year = int(match["year"])
    return days(date(year, first, 1), date(year, first + 3, monthrange(year, first + 3)[1]), now)


def _last_night(match: re.Match[str], now: datetime) -> ResolvedTime:
    """Returns 18:00 yesterday to 06:00 today."""
    stop = datetime.combine(now.date(), time(6), now.tzinfo).astimezone(UTC)
    return same(stop - timedelta(hours=12), stop)


def _part_of_today(match: re.Match[str], now: datetime) -> ResolvedTime:
    """Returns the morning, afternoon or evening of today."""
    first, stop = _HOURS[match["part"].lower()]
    midnight = day_start(now.date(), now.tzinfo)
    return same(midnight + timedelta(hours=first), midnight + timedelta(hours=stop))


def _from_date(match: re.Match[str], now: datetime) -> ResolvedTime | None:
    """Returns a time relative to a date: the nearest such weekday or weekend, a day, week, month or year; None if the
    date does not exist."""
    if match.groupdict().get("iso"):
        anchor = date.fromisoformat(match["iso"])
    else:
        named = ENGLISH.date(match, now)
        if named is None:
            return None
        anchor = named.exact.start.astimezone(now.tzinfo).date()
    unit = match["unit"].lower()
    back = _SIDES[" ".join(match["side"].lower().split())]
    if unit in ENGLISH.weekdays:
        return _weekday(anchor, ENGLISH.weekdays[unit], back, now)
    if unit in ("day", "night", "evening", "morning"):
        return days(anchor - timedelta(back), anchor - timedelta(back), now)
    if unit == "weekend":
        saturday = anchor + timedelta(5 - anchor.weekday())
        if back > 0:  # on a weekend, the one before is a week earlier
            saturday -= timedelta(7)
        elif back < 0 and anchor.weekday() >= 5:
            saturday += timedelta(7)
        return days(saturday, saturday + timedelta(1), now)
    if unit == "week" and back:
        return _week(anchor, back, now)
    return calendar_period(datetime.combine(anchor, time(), now.tzinfo), unit, back)


def _weekday(anchor: date, weekday: int, back: int, now: datetime) -> ResolvedTime:
    """Returns the nearest such weekday before (`back` > 0) or after (`back` < 0) the anchor, or that of its week."""
    if back > 0:
        day = anchor - timedelta((anchor.weekday() - weekday - 1) % 7 + 1)
    elif back < 0:
        day = anchor + timedelta((weekday - anchor.weekday() - 1) % 7 + 1)
    else:
        day = anchor + timedelta(weekday - anchor.weekday())
    return days(day, day, now)


def _week(anchor: date, back: int, now: datetime) -> ResolvedTime:
    """Returns the seven days before (`back` > 0) or after the anchor; around them the whole calendar week."""
    if back > 0:
        exact = days(anchor - timedelta(7), anchor - timedelta(1), now)
        neighbourhood = days(anchor - timedelta(anchor.weekday() + 7), anchor - timedelta(1), now)
    else:
        exact = days(anchor + timedelta(1), anchor + timedelta(7), now)
        neighbourhood = days(anchor + timedelta(1), anchor + timedelta(13 - anchor.weekday()), now)
    return ResolvedTime(exact.exact, neighbourhood.exact)


_N = rf"(?P<n>\d{{1,4}}(?:\.\d)?|an? couple(?: of)?|a few|several|half an?|an?|{'|'.join(_NUMBERS)})"
_UNIT = r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|years?|yrs?)"
_SEASON = f"(?P<season>{'|'.join(FIRST_MONTHS)})"
_PART = r"(?P<part>early|mid|late)[ -]"
_MONTH = r"(?P<month>" + "|".join(rf"{n[:3]}(?:{n[3:]})?\.?" if n[3:] else n for n in _MONTHS) + r"|sept\.?)"
_WEEKDAY = f"(?P<weekday>{'|'.join(_WEEKDAYS)})"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_NTH = r"(?:st|nd|rd|th)?"
_DAY = rf"(?P<day>\d{{1,2}}){_NTH}"
_TO = rf"(?P<to>\d{{1,2}}){_NTH}"
_UNIT_FROM_DATE = f"(?P<unit>day|night|evening|morning|weekend|week|month|year|{'|'.join(_WEEKDAYS)})"
#: Word → side of the date: 1 before it, -1 after it, 0 around it.
_SIDES = {"before": 1, "preceding": 1, "prior to": 1, "after": -1, "following": -1, "of": 0, "around": 0}
_FROM_DATE = f"(?:the )?{_UNIT_FROM_DATE} (?P<side>{'|'.join(_SIDES)})"

PATTERNS = (
    latin_pattern(rf"(?:(?:about|around|some|roughly|over|almost|nearly) )?{_N} {_UNIT} ago", ENGLISH.ago),
    latin_pattern(rf"{_N} (?P<unit>fortnights?) ago", ENGLISH.ago),
    latin_pattern(r"(?P<n>\d{1,4})(?P<unit>s|m|min|h|hr|d|w|wk|y|yr) ago", ENGLISH.ago),
    latin_pattern(rf"(?:the )?(?:last|past|previous) {_N} {_UNIT}(?! of)", ENGLISH.past),
    latin_pattern(r"(?:the )?past (?P<unit>minutes?|hours?|days?|weeks?|months?|years?)", ENGLISH.past),
    latin_pattern(r"(?:(?:earlier|later) )?(?P<period>today)", ENGLISH.period),
    latin_pattern(r"(?P<period>yesterday)(?: (?:morning|afternoon|evening))?", ENGLISH.period),
    latin_pattern(r"(?:the )?(?P<period>day before yesterday)", ENGLISH.period),
    latin_pattern(r"last night", _last_night),
    latin_pattern(r"this (?P<part>morning|afternoon|evening)", _part_of_today),
    latin_pattern(
        r"(?:(?:earlier|later) )?(?:the )?(?P<which>this|last|previous) (?P<unit>weekend|week|month|quarter|year)",
        ENGLISH.period,
    ),
    latin_pattern(r"(?:the )?(?P<unit>weekend|week|month|year) (?P<which>before last)", ENGLISH.period),
    latin_pattern(rf"(?:(?P<which>last|this)|this past) {_WEEKDAY}", ENGLISH.weekday),
    latin_pattern(rf"{_WEEKDAY}(?: of)? (?P<week>last|this) week", ENGLISH.weekday),
    latin_pattern(rf"(?P<week>last|this) week(?: on|,)? {_WEEKDAY}", ENGLISH.weekday),
    latin_pattern(_WEEKDAY, ENGLISH.weekday, unambiguous=False),
    latin_pattern(rf"(?:{_PART})?{_MONTH}(?: of)?,? {_YEAR}", ENGLISH.date),
    latin_pattern(rf"(?:{_PART})?{_MONTH}(?: of)? (?P<relative>last|this) year", ENGLISH.date),
    latin_pattern(rf"(?P<which>last|this) {_MONTH}", ENGLISH.date),
    latin_pattern(_MONTH, ENGLISH.date, unambiguous=False),
    latin_pattern(rf"{_PART}{_MONTH}", ENGLISH.date),
    latin_pattern(rf"{_PART}{_YEAR}", _part_of_year, unambiguous=False),
    latin_pattern(rf"{_N} {_WEEKDAY}s ago", ENGLISH.weekday),
    latin_pattern(rf"{_N} (?P<unit>weekend)s ago", ENGLISH.period),
    latin_pattern(rf"(?P<which>this past|this|last|past|previous) {_SEASON}", ENGLISH.season),
    latin_pattern(rf"(?:the )?{_SEASON} (?P<which>before last)", ENGLISH.season),
    latin_pattern(rf"(?:the )?{_SEASON}(?: of)? (?:{_YEAR}|(?P<which>last year|this year))", ENGLISH.season),
    latin_pattern("(?P<season>spring|summer|autumn|winter)(?! of)", ENGLISH.season, unambiguous=False),  # no fall
    latin_pattern(rf"{_FROM_DATE} {_MONTH} {_DAY}(?:,? {_YEAR})?", _from_date),
    latin_pattern(rf"{_FROM_DATE} (?:the )?{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?", _from_date),
    latin_pattern(rf"{_FROM_DATE} (?P<iso>\d{{4}}-\d\d-\d\d)", _from_date),
    latin_pattern(rf"(?:the )?{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?", ENGLISH.date),
    latin_pattern(rf"{_MONTH} {_DAY},? {_YEAR}", ENGLISH.date),
    latin_pattern(rf"{_MONTH} (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)", ENGLISH.date),
    latin_pattern(rf"{_MONTH} (?P<day>\d{{1,2}})(?!\s?\w)", ENGLISH.date),
    latin_pattern(rf"{_MONTH} (?P<day>\d{{1,2}})(?=\W)", ENGLISH.date, unambiguous=False),
    latin_pattern(rf"{_DAY}(?:\s?[-–]\s?| to | and ){_TO} {_MONTH}(?:,? {_YEAR})?", ENGLISH.date),
    latin_pattern(rf"{_MONTH} {_DAY}\s?[-–]\s?{_TO}(?:,? {_YEAR})?", ENGLISH.date),
)
