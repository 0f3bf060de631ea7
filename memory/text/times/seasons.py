"""Seasons: the meteorological ones of the northern hemisphere, three whole months each; winter begins in December."""

from datetime import date, datetime, timedelta

from .calendar import ResolvedTime, days

FIRST_MONTHS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}


def season(name: str, year: int, now: datetime) -> ResolvedTime:
    """The season that begins in `year`."""
    first = date(year, FIRST_MONTHS[name], 1)
    return days(first, _end(first), now)


def latest_season(name: str, now: datetime, back: int = 0) -> ResolvedTime:
    """The latest season of that name that has begun, or with `back` the one so many years before it."""
    today = now.date()
    begun = today.year if today.month >= FIRST_MONTHS[name] else today.year - 1
    return season(name, begun - back, now)


def last_season(name: str, now: datetime) -> ResolvedTime:
    """The latest season of that name that is over."""
    latest = latest_season(name, now)
    return latest if latest.exact.stop <= now else latest_season(name, now, 1)


def _end(first: date) -> date:
    """The last day of the season that begins on `first`."""
    after = date(first.year + first.month // 10, (first.month + 2) % 12 + 1, 1)
    return after - timedelta(1)
