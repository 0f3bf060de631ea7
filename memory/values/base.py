"""Bases of all values that a memory takes and returns."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Annotated, Any, Final, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from foxing.memory.errors import InvalidCursor, InvalidInput, InvalidTime
from foxing.renderer.tiers import all_tiers, is_tier

INVALID_CURSOR = "this cursor is invalid; pass next_cursor as you received it, or leave it out"


class Value(BaseModel):
    """Base of all values: immutable; unknown fields are an error. Built by `build_values`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


#: An input as an object of JSON, in place of the value: {"role": "user", "content": "hello"} for a `NewMessage`.
Fields: TypeAlias = dict[str, object]


class Input(Value):
    """Base of what callers give: strict, so that 0 is no boolean, "5" no number and a number no time."""

    model_config = ConfigDict(strict=True)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], index: int | None = None) -> Self:
        """The input of these fields. Raises `InvalidInput`, `InvalidTime`, `InvalidCursor`. `index`: the position of a
        message in its call."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            kind, reason = first_error(error)
            if reason.startswith("cursor:"):
                raise InvalidCursor(INVALID_CURSOR) from error
            if kind.startswith(("timezone", "datetime")):
                raise InvalidTime(f"{reason}; write it like 2026-03-02T09:15:00+01:00", index=index) from error
            raise InvalidInput(reason, index=index) from error


def first_error(error: ValidationError) -> tuple[str, str]:
    """Type and sentence of the first error: `("missing", "content.parts.0.tool_call.name: Field required")`."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return first["type"], f"{field}: {first['msg']}" if field else first["msg"]


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


#: A time, RFC 3339, a date, or words such as “3 weeks ago”, which are read where the zone and the present are known.
When = Annotated[str | datetime, WithJsonSchema({"type": "string"})]


def _check_now(now: str | datetime) -> str | datetime:
    return aware_utc(now) if isinstance(now, datetime) else now


#: The same in the place of the present, which has a timezone.
Now = Annotated[
    Annotated[When, AfterValidator(_check_now)] | None,
    Field(
        description="Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which "
        "stand for the start of that day. Over HTTP only in a dry run, or if the "
        "settings of the service allow it."
    ),
]
#: IANA name or offset.
Timezone = Annotated[
    str | None,
    Field(description="Time zone that dates and words are read in, for example 'Europe/Berlin'. Default: UTC."),
]


def _check_integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: JSON has one type for all numbers, so that 5.0 is an integer.
INTEGRAL = BeforeValidator(_check_integer)

#: Context in which a client validates the answers of a service.
FROM_SERVICE: Final = {"from_service": True}


def _also_newer(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    try:
        return check(value)
    except ValidationError:
        if info.context is FROM_SERVICE and isinstance(value, str | dict):
            return value
        raise


#: For names and kinds of parts in answers, to which a newer service may add: a client takes any.
OPEN: Final = WrapValidator(_also_newer)


class _TierNames:
    """Lists the tiers in the JSON schema of their names."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(all_tiers())}


def _check_tier(value: str) -> str:
    if not is_tier(value):
        known = ", ".join(map(repr, all_tiers()))
        raise PydanticCustomError("tier", "there is no such tier; there are {tiers}", {"tiers": known})
    return value


#: The name of a tier, one of this package or of another.
Tier = Annotated[str, _TierNames()]
#: The name of a tier that is known here; callers give only these.
KnownTier = Annotated[Tier, AfterValidator(_check_tier), OPEN]
MAX_LIMIT = 500
#: How many entries of a list to return.
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), INTEGRAL]


def check_limit(limit: int) -> None:
    """Raises `InvalidInput` unless `limit` is 1 to `MAX_LIMIT`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}, not {limit}")


#: Of ids and names; checked where messages are stored.
Name = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": r"^[^\x00-\x1f]*$"})]
MAX_CURSOR_CHARS = 1 << 20  # that of a ranked answer grows by some 4 characters with each message given
CURSOR = "^[A-Za-z0-9_-]*=*$"
Cursor = Annotated[
    Annotated[str, Field(max_length=MAX_CURSOR_CHARS, pattern=CURSOR)] | None,
    Field(description="The `next_cursor` of the previous answer."),
]

_building = Lock()


def build_values() -> None:
    """Builds the validators of all values: not while they are imported, of which whoever only imports would wait, and
    not with their first use, which may be in several threads at once."""
    with _building:
        for value in _family(Value):
            value.model_config["defer_build"] = False  # nor of what is made of it, such as FastAPI's fields
            value.model_rebuild()


def _family(value: type[Value]) -> Iterator[type[Value]]:
    """A class of values and those that derive from it."""
    yield value
    for derived in value.__subclasses__():
        yield from _family(derived)
