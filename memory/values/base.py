"""Base classes and field types of the values that a memory takes and returns."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from foxing.memory.access import Access
from foxing.memory.errors import InvalidCursor, InvalidInput, InvalidTime
from foxing.renderer.tiers import all_tiers, is_tier

INVALID_CURSOR = "this cursor is invalid; pass next_cursor as you received it, or leave it out"


def _own_name(bank: str) -> str:
    return Access.current().own_name(bank)


#: Full name of a bank. Callers of its tenant are answered with its own name.
BankName: TypeAlias = Annotated[str, PlainSerializer(_own_name, return_type=str)]


class Value(BaseModel):
    """Base class of all values. Immutable; unknown fields are an error. Validators are built on first use."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


#: The fields of an input, in place of the value: {"role": "user", "content": "hello"} for a `NewMessage`.
Fields: TypeAlias = dict[str, object]


class Input(Value):
    """Base class of inputs. Strict: 0 is not a boolean, "5" is not a number, and a number is not a time."""

    model_config = ConfigDict(strict=True)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], index: int | None = None) -> Self:
        """Returns the input with these fields. `index`: position of a message in its call, for the error. Raises
        `InvalidInput`, `InvalidTime`, `InvalidCursor`."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise _refusal(error, index) from error


class MemoryRequest(Input):
    """Base class of what a memory is asked. Built directly, it raises the errors of `from_fields`."""

    def __init__(self, /, **fields: Any) -> None:
        """Builds the input from its fields. Raises `InvalidInput`, `InvalidTime`, `InvalidCursor`."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _refusal(error) from error

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # validation does not call it

    @classmethod
    def with_fields(cls, value: Self | None, fields: Mapping[str, Any]) -> Self:
        """Returns the input that is given as a value, as keyword arguments, or as a value of which these replace some
        fields. Raises the errors of `from_fields`, and `TypeError` for an unknown field."""
        unknown = fields.keys() - cls.model_fields.keys()
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {' and '.join(sorted(unknown))}")
        if value is None and fields:
            return cls.from_fields(fields)
        value = checked(value, cls)
        return cls.from_fields({**value.model_dump(exclude_unset=True), **fields}) if fields else value


def _refusal(error: ValidationError, index: int | None = None) -> InvalidInput:
    """Returns the error for invalid fields. `index`: see `Input.from_fields`."""
    kind, reason = first_error(error)
    if reason.startswith("cursor:"):
        return InvalidCursor(INVALID_CURSOR)
    if kind.startswith(("timezone", "datetime")):
        return InvalidTime(f"{reason}; write it like 2026-03-02T09:15:00+01:00", index=index)
    return InvalidInput(reason, index=index)


InputT = TypeVar("InputT", bound=Input)


def checked(value: InputT | None, kind: type[InputT]) -> InputT:
    """Returns an input as given. Raises `InvalidInput` for a value of another type."""
    if isinstance(value, kind):
        return value
    required = ", ".join(f"{name}=…" for name, field in kind.model_fields.items() if field.is_required())
    raise InvalidInput(f"give a request, such as {kind.__name__}({required}), not {kind_of(value)}")


def kind_of(value: object) -> str:
    """Returns the type of a value for an error message: “a str”, “None”."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


_OBJECT = "give an object with named fields"
#: Reasons in place of pydantic's, by the type of its error.
_REASONS = {
    "extra_forbidden": "unknown field; remove it",
    "missing": "the field is required but missing",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}


def reason_of(entry: Mapping[str, Any]) -> str:
    """Returns the reason in an entry of pydantic's `ValidationError.errors()`."""
    return _REASONS.get(entry["type"]) or str(entry["msg"]).removeprefix("Value error, ")


def first_error(error: ValidationError) -> tuple[str, str]:
    """Returns type and reason of the first error: `("missing", "content.parts.0.tool_call.name: the field is required
    but missing")`."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return first["type"], f"{field}: {reason_of(first)}" if field else reason_of(first)


def _check_moment(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _YEAR.match(value)):
        return value
    raise PydanticCustomError("datetime_type", "a time must be an RFC 3339 string, such as 2026-03-02T09:15:00+01:00")


_YEAR = re.compile(r"\d{4}-")
#: A time with an offset: an aware datetime or an RFC 3339 string. Numbers are rejected.
Moment = Annotated[AwareDatetime, Strict(False), BeforeValidator(_check_moment)]


def aware_utc(now: datetime) -> datetime:
    """Returns `now` in UTC. Raises `InvalidTime` if it is naive or outside the years 1 to 9999."""
    if now.tzinfo is None:
        raise InvalidTime("now has no timezone; write it like 2026-03-02T09:15:00+01:00")
    try:
        return now.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTime("now is outside the years 1 to 9999 in UTC") from error


#: An aware datetime, an RFC 3339 time, a date, or words such as “3 weeks ago”; text is parsed when the query runs.
When = Annotated[str | datetime, WithJsonSchema({"type": "string"})]


def _check_now(now: str | datetime) -> str | datetime:
    return aware_utc(now) if isinstance(now, datetime) else now


#: The same, in place of the current time; a datetime must be aware.
Now = Annotated[
    Annotated[When, AfterValidator(_check_now)] | None,
    Field(
        description="Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which "
        "mean the start of that day. Over HTTP, allowed only in a dry run or if the settings of the service permit it."
    ),
]
#: IANA name or offset.
Timezone = Annotated[
    str | None,
    Field(description="Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC."),
]


def _check_integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: Accepts 5.0 as an integer: JSON has a single number type.
INTEGRAL = BeforeValidator(_check_integer)

#: Validation context of a client for the responses of a service.
FROM_SERVICE: Final = {"from_service": True}


def _also_newer(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    try:
        return check(value)
    except ValidationError:
        if info.context is FROM_SERVICE and isinstance(value, str | dict):
            return value
        raise


#: For enumerations and part types in responses: a client accepts members added by a newer service.
OPEN: Final = WrapValidator(_also_newer)

#: Role of the speaker of a message.
Role = Annotated[Literal["system", "developer", "user", "assistant", "tool"], OPEN]


class _TierNames:
    """Adds the registered tiers to the JSON schema as an enumeration."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(all_tiers())}


def _check_tier(value: str) -> str:
    if not is_tier(value):
        names = ", ".join(map(repr, all_tiers()))
        raise PydanticCustomError("tier", "there is no such tier; choose one of {tiers}", {"tiers": names})
    return value


#: Name of a tier, built-in or from a plug-in.
Tier = Annotated[str, _TierNames()]
#: Name of a registered tier, as inputs require.
KnownTier = Annotated[Tier, AfterValidator(_check_tier), OPEN]
MAX_LIMIT = 500
#: Number of pages of which a dry run of ageing counts the fading words, by default and at most.
PREVIEWED_PAGES = 8
MAX_PREVIEWED_PAGES = 100
#: Maximum number of entries of a list.
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), INTEGRAL]


def check_limit(limit: int) -> None:
    """Raises `InvalidInput` unless `limit` is 1 to `MAX_LIMIT`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit must be from 1 to {MAX_LIMIT}, not {limit}")


#: An id or a name. Storing messages checks the pattern.
Name = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": r"^[^\x00-\x1f]*$"})]
MAX_CURSOR_CHARS = 1 << 20  # the cursor of a ranked answer grows by about 4 characters per message returned
CURSOR = "^[A-Za-z0-9_-]*=*$"
Cursor = Annotated[
    Annotated[str, Field(max_length=MAX_CURSOR_CHARS, pattern=CURSOR)] | None,
    Field(description="`next_cursor` of the previous page of the list."),
]
