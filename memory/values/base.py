"""Bases of all values that a memory takes and returns."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from foxing.memory.errors import InvalidTime


class Value(BaseModel):
    """Base of all values: immutable; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(Value):
    """Base of what callers give: strict, so that 0 is no boolean, "5" no number and a number no time."""

    model_config = ConfigDict(strict=True)


def _check_moment(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _YEAR.match(value)):
        return value
    raise PydanticCustomError("datetime_type", "a time is text in RFC 3339, such as 2026-03-02T09:15:00+01:00")


_YEAR = re.compile(r"\d{4}-")
#: A time with an offset: aware, or text in RFC 3339. Numbers are no times.
Moment = Annotated[AwareDatetime, Strict(False), BeforeValidator(_check_moment)]


def aware_utc(now: datetime) -> datetime:
    """`now` in UTC. Raises `InvalidTime` if it is naive or outside the years 1 to 9999."""
    if now.tzinfo is None:
        raise InvalidTime("now has no timezone; write it like 2026-03-02T09:15:00+01:00")
    try:
        return now.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTime("now lies outside the years 1 to 9999 in UTC") from error


def _check_integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: JSON has one type for all numbers, so that 5.0 is an integer.
INTEGRAL = BeforeValidator(_check_integer)

Tier = Literal["large", "base", "small", "tiny", "micro"]
#: How many entries of a list to return.
Limit = Annotated[int, Field(ge=1, le=500), INTEGRAL]
#: Of ids and names; checked where messages are stored.
Name = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": r"^[^\x00-\x1f]*$"})]
MAX_CURSOR_CHARS = 1 << 20  # that of a ranked answer grows by some 4 characters with each message given
