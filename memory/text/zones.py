"""Timezones by name or offset. Apart from the time expressions, whose import takes a tenth of a second."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from foxing.memory.errors import InvalidTime

_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d\d?):?(?P<minutes>\d\d)?")


def zone_of(timezone: str | None) -> tzinfo:
    """Returns the timezone of an IANA name or an offset (`+09:00`); UTC for None. Raises `InvalidTime` if it is
    unknown."""
    if timezone is None:
        return UTC
    if match := _OFFSET.fullmatch(timezone):
        offset = f"{match['sign']}{match['hours']:0>2}{match['minutes'] or '00'}"
        try:
            return datetime.strptime(offset, "%z").tzinfo or UTC
        except ValueError as error:
            raise InvalidTime(f"the offset '{timezone}' is invalid; give one such as '+09:00'") from error
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidTime(f"the timezone '{timezone}' is unknown; give an IANA name such as 'Asia/Seoul'") from error
