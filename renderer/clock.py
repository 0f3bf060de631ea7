"""The present, and sums of times."""

from datetime import UTC, datetime, timedelta

#: Longer than any lease and any pause of a job: a time in the database that lies further ahead is of a wrong clock.
MAX_CLOCK_SKEW = timedelta(hours=2)


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def later(time: datetime, duration: timedelta) -> datetime:
    """`time` plus `duration`, or the last instant of the year 9999 if that comes first."""
    try:
        return time + duration
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
