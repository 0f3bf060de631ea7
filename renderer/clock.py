"""Current time and saturating time arithmetic."""

from datetime import UTC, datetime, timedelta

#: Longer than any lease and any job delay: a time in the database further ahead than this was set by a wrong clock.
MAX_CLOCK_SKEW = timedelta(hours=2)


def utc_now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)


def later(time: datetime, duration: timedelta) -> datetime:
    """Returns `time` plus `duration`, capped at the end of the year 9999 in UTC."""
    try:
        return time + duration
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
