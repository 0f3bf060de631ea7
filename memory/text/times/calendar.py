"""Date arithmetic for time expressions: calendar periods, and times relative to now.

Calendar periods are in the timezone of `now`, an aware datetime; weeks begin on Monday.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple


class Period(NamedTuple):
    """A half-open time interval; both ends are aware and in UTC."""

    start: datetime
    stop: datetime


class ResolvedTime(NamedTuple):
    """The periods that a time expression denotes."""

    #: Its period as a bound: the day itself in “since 3 weeks ago”.
    exact: Period
    #: Its period as an answer to “when?”: half a week to either side of “3 weeks ago”.
    around: Period


SECONDS = {
    "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "fortnight": 1209600, "month": 2629746,
    "year": 31556952,
}  # fmt: skip
_CLOCK_UNITS = ("second", "minute", "hour")  # not rounded to whole days
#: First months of the meteorological seasons of the northern hemisphere, which have three calendar months each.
FIRST_MONTHS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}


def same(start: datetime, stop: datetime) -> ResolvedTime:
    """Returns a time with the same period as a bound and as an answer."""
    period = Period(start, stop)
    return ResolvedTime(period, period)


def day_start(day: date, zone: tzinfo | None) -> datetime:
    """Returns midnight of `day` in `zone`, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def days(first: date, last: date, now: datetime) -> ResolvedTime:
    """Returns the period from the start of `first` to the end of `last`."""
    return same(day_start(first, now.tzinfo), day_start(last + timedelta(1), now.tzinfo))


def days_ago(first: int, last: int, now: datetime) -> ResolvedTime:
    """Returns the calendar days from `first` days ago to `last` days ago."""
    return days(now.date() - timedelta(first), now.date() - timedelta(last), now)


def month(year: int, number: int, now: datetime) -> ResolvedTime:
    """Returns the calendar month. `number`: 1 to 12."""
    return days(date(year, number, 1), date(year, number, monthrange(year, number)[1]), now)


def latest_year(month_number: int, day: int, now: datetime) -> int:
    """Returns the year of the latest such day that has begun."""
    return now.year if (month_number, day) <= (now.month, now.day) else now.year - 1


def calendar_period(now: datetime, unit: str, back: int) -> ResolvedTime:
    """Returns the calendar day, week, weekend, month, quarter or year that is `back` units before the current one."""
    if unit == "day":
        return days_ago(back, back, now)
    today = now.date()
    monday = today - timedelta(today.weekday() + 7 * back)
    if unit == "week":
        return days(monday, monday + timedelta(6), now)
    if unit == "weekend":
        return days(monday + timedelta(5), monday + timedelta(6), now)
    if unit == "month":
        first = _shift_months(today.replace(day=1), -back)
        return month(first.year, first.month, now)
    if unit == "quarter":
        first = _shift_months(date(today.year, today.month - (today.month - 1) % 3, 1), -3 * back)
        return days(first, _shift_months(first, 3) - timedelta(1), now)
    return days(date(today.year - back, 1, 1), date(today.year - back, 12, 31), now)


def weekday_before(now: datetime, weekday: int, back: int = 1) -> ResolvedTime:
    """Returns the `back`th such weekday before today; Monday is 0."""
    day = now.date() - timedelta((now.weekday() - weekday - 1) % 7 + 1 + 7 * (back - 1))
    return days(day, day, now)


def weekday_of_week(now: datetime, weekday: int, weeks_back: int) -> ResolvedTime:
    """Returns the weekday of the week `weeks_back` weeks before the current one; Monday is 0."""
    day = now.date() - timedelta(now.weekday() - weekday + 7 * weeks_back)
    return days(day, day, now)


def ago(now: datetime, count: float, unit: str, slack: float = 0.5) -> ResolvedTime:
    """Returns the time `count` units ago.

    `exact` is the moment, or the calendar day for units of a day or longer; `around` extends `slack` units to either
    side, rounded outwards to calendar days for these units.
    """
    at = _subtract(now, count, unit)
    half = timedelta(seconds=slack * SECONDS[unit])
    if unit in _CLOCK_UNITS:
        moment = at.astimezone(UTC)
        return ResolvedTime(Period(moment, moment), Period(moment - half, moment + half))
    exact, _ = days(at.date(), at.date(), now)
    last = at + half
    stop = day_start(last.date() + timedelta(1 if last.time() > time() else 0), now.tzinfo)
    return ResolvedTime(exact, Period(day_start((at - half).date(), now.tzinfo), stop))


def up_to_now(now: datetime, count: float, unit: str) -> ResolvedTime:
    """Returns the last `count` units, in calendar days for units of a day or longer."""
    at = _subtract(now, count, unit)
    if unit in _CLOCK_UNITS:
        return same(at.astimezone(UTC), now.astimezone(UTC) + timedelta(seconds=1))
    return days(at.date(), now.date(), now)


def season(name: str, year: int, now: datetime) -> ResolvedTime:
    """Returns the season that begins in `year`."""
    first = date(year, FIRST_MONTHS[name], 1)
    return days(first, _shift_months(first, 3) - timedelta(1), now)


def latest_season(name: str, now: datetime, back: int = 0) -> ResolvedTime:
    """Returns the season of that name `back` years before the latest one that has begun."""
    begun = now.year if now.month >= FIRST_MONTHS[name] else now.year - 1
    return season(name, begun - back, now)


def last_season(name: str, now: datetime) -> ResolvedTime:
    """Returns the latest season of that name that has ended."""
    latest = latest_season(name, now)
    return latest if latest.exact.stop <= now else latest_season(name, now, 1)


def _subtract(now: datetime, count: float, unit: str) -> datetime:
    """Returns `now` minus `count` units, in local time for units of a day or longer."""
    if unit in ("month", "year") and count == int(count):
        day = _shift_months(now.date(), -int(count) * (12 if unit == "year" else 1))
        return datetime.combine(day, now.timetz())
    if unit in _CLOCK_UNITS:
        return (now.astimezone(UTC) - timedelta(seconds=count * SECONDS[unit])).astimezone(now.tzinfo)
    return now - timedelta(seconds=count * SECONDS[unit])


def _shift_months(day: date, months: int) -> date:
    """Returns the same day `months` later, or the last day of a shorter month."""
    year, index = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, index + 1, min(day.day, monthrange(year, index + 1)[1]))
