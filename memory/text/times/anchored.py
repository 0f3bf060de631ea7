"""English times counted from a date: “the Monday before July 24, 2023”, “the week of 9 June 2023”."""

import re
from datetime import date, datetime, time, timedelta

from .calendar import ResolvedTime, calendar_period, days, latest_year
from .words import DAY, MONTH, WEEKDAY_NAMES, YEAR, month_number, weekday_number


def _anchor(match: re.Match[str], now: datetime) -> date:
    groups = match.groupdict()
    if groups.get("iso"):
        return date.fromisoformat(groups["iso"])
    month, day = month_number(groups["month"]), int(groups["day"])
    return date(int(groups["year"]) if groups["year"] else latest_year(month, day, now), month, day)


def _from_date(match: re.Match[str], now: datetime) -> ResolvedTime:
    anchor, unit, side = _anchor(match, now), match["unit"].lower(), match["side"].lower()
    back = _BACK[" ".join(side.split())]
    if unit in WEEKDAY_NAMES:
        return _weekday(anchor, weekday_number(unit), back, now)
    if unit in ("day", "night", "evening", "morning"):
        return days(anchor - timedelta(back), anchor - timedelta(back), now)
    if unit == "weekend":
        return _weekend(anchor, back, now)
    if unit == "week" and back:
        return _week(anchor, back, now)
    return calendar_period(datetime.combine(anchor, time(), now.tzinfo), unit, back)


def _weekday(anchor: date, weekday: int, back: int, now: datetime) -> ResolvedTime:
    """The nearest such weekday before or after the anchor; with `back` 0 that of its week."""
    ahead = (weekday - anchor.weekday()) % 7
    if back > 0:
        day = anchor - timedelta((anchor.weekday() - weekday - 1) % 7 + 1)
    elif back < 0:
        day = anchor + timedelta(ahead or 7)
    else:
        day = anchor + timedelta(weekday - anchor.weekday())
    return days(day, day, now)


def _weekend(anchor: date, back: int, now: datetime) -> ResolvedTime:
    saturday = anchor + timedelta(5 - anchor.weekday())
    if back > 0:  # on a weekend, the one before is a week earlier
        saturday -= timedelta(7)
    elif back < 0 and anchor.weekday() >= 5:
        saturday += timedelta(7)
    return days(saturday, saturday + timedelta(1), now)


def _week(anchor: date, back: int, now: datetime) -> ResolvedTime:
    """The seven days before or after; as an answer to “when?”, with all of the calendar week that may be meant."""
    if back > 0:
        exact = days(anchor - timedelta(7), anchor - timedelta(1), now)
        around = days(anchor - timedelta(anchor.weekday() + 7), anchor - timedelta(1), now)
    else:
        exact = days(anchor + timedelta(1), anchor + timedelta(7), now)
        around = days(anchor + timedelta(1), anchor + timedelta(13 - anchor.weekday()), now)
    return ResolvedTime(exact.exact, around.exact)


_UNIT = "(?P<unit>day|night|evening|morning|weekend|week|month|year|" + "|".join(WEEKDAY_NAMES) + ")"
#: Where the time lies from the date: 1 before it, -1 after it, 0 around it.
_BACK = {"before": 1, "preceding": 1, "prior to": 1, "after": -1, "following": -1, "of": 0, "around": 0}
_SIDE = "(?P<side>" + "|".join(_BACK) + ")"
_DATES = (
    rf"{MONTH} {DAY}(?:,? {YEAR})?",
    rf"(?:the )?{DAY}(?: of)? {MONTH}(?:,? {YEAR})?",
    r"(?P<iso>\d{4}-\d\d-\d\d)",
)

#: Regular expressions of times counted from a date, and what resolves them.
FROM_DATES = tuple((rf"(?:the )?{_UNIT} {_SIDE} {form}", _from_date) for form in _DATES)
