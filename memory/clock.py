"""The present, and times given in its place."""

from datetime import UTC, datetime, timedelta

from .errors import InvalidTime

#: Longer than any lease and any pause of a job: a time in the database that lies further ahead is of a wrong clock.
LONGEST_AHEAD = timedelta(hours=2)


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def aware_utc(now: datetime) -> datetime:
    """`now` in UTC. Raises `InvalidTime` if it is naive or outside the years 1 to 9999."""
    if now.tzinfo is None:
        raise InvalidTime("now has no timezone; write it like 2026-03-02T09:15:00+01:00")
    try:
        return now.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTime("now lies outside the years 1 to 9999 in UTC") from error


def later(time: datetime, duration: timedelta) -> datetime:
    """`time` plus `duration`, or the last instant of the year 9999 if that comes first."""
    try:
        return time + duration
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
