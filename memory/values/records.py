"""Records, and what is asked of them; these values are schemas of the HTTP interface as well."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, Field, JsonValue, Strict
from pydantic_core import PydanticCustomError

from foxing.memory.compact_json import compact_json

from .base import INTEGRAL, Cursor, Input, Limit, Value

MAX_RECORD_BYTES = 1 << 20  # 1 MiB, as compact JSON in UTF-8
MAX_LABELS = 20
MAX_WRITES = 1_000  # in one call
MAX_CONDITIONS = 20
MAX_OFFSET = 1_000_000
LONGEST_TTL_S = 36_525 * 86_400.0  # 100 years

_PATTERN = r"^[^\x00-\x1f]+$"


def _check_name(name: str) -> str:
    if any(ord(character) < 0x20 for character in name):
        raise PydanticCustomError("control", "it contains control characters; remove them")
    _check_encodable(name)
    return name


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = "it contains half of a surrogate pair; send valid UTF-8"
        raise PydanticCustomError("surrogate", reason) from error


def _check_text(text: str) -> str:
    _check_encodable(text)
    return text


def _check_value(value: JsonValue) -> JsonValue:
    try:
        size = len(compact_json(value).encode())
    except UnicodeEncodeError as error:
        reason = "a string contains half of a surrogate pair; send valid UTF-8"
        raise PydanticCustomError("surrogate", reason) from error
    except ValueError as error:
        raise PydanticCustomError("json", "{reason}", {"reason": str(error)}) from error
    if size > MAX_RECORD_BYTES:
        reason = f"{size:,} bytes of JSON, {MAX_RECORD_BYTES:,} are allowed; split the record"
        raise PydanticCustomError("record_too_large", "{reason}", {"reason": reason})
    return value


#: One label of a namespace.
Label = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra={"pattern": _PATTERN}), AfterValidator(_check_name)
]
#: Where a record is: labels from the widest to the narrowest. A label matches as a whole, never its beginning.
Namespace = Annotated[tuple[Label, ...], Strict(False), Field(min_length=1, max_length=MAX_LABELS)]
#: The first labels of a namespace, or none.
Prefix = Annotated[tuple[Label, ...], Strict(False), Field(max_length=MAX_LABELS)]
RecordKeyText = Annotated[
    str, Field(min_length=1, max_length=1_000, json_schema_extra={"pattern": _PATTERN}), AfterValidator(_check_name)
]
RecordValue = Annotated[JsonValue, AfterValidator(_check_value)]
#: 2⁵³ − 1 at most, so that any reader of JSON has it exactly.
Version = Annotated[int, Field(ge=0, le=(1 << 53) - 1), INTEGRAL]

_IF_VERSION = (
    "Only if the record has this version; 0: only if there is none. Otherwise nothing of the call is done (409)."
)
_NAMESPACE = "Labels, from the widest to the narrowest."


class RecordKey(Input):
    """Which record."""

    namespace: Namespace = Field(description=_NAMESPACE, examples=[["tenant", "acme"]])
    key: RecordKeyText = Field(description="Its key, unique in its namespace.", examples=["preferences"])


class PutRecord(RecordKey):
    """Stores a record, in the place of one that has the same key."""

    op: Literal["put"] = Field(description="What to do.")
    value: RecordValue = Field(description="Any JSON of at most 1 MiB. It comes back exactly.")
    text: Annotated[str, AfterValidator(_check_text)] | None = Field(
        None,
        max_length=MAX_RECORD_BYTES,
        description="What a search by words looks at, empty for nothing. Default: all strings of the value.",
    )
    ttl_s: float | None = Field(
        None, gt=0, le=LONGEST_TTL_S, description="Seconds after which it is deleted. Default: never."
    )
    if_version: Version | None = Field(None, description=_IF_VERSION)


class DeleteRecord(RecordKey):
    """Deletes a record, if it is there."""

    op: Literal["delete"] = Field(description="What to do.")
    if_version: Version | None = Field(None, description=_IF_VERSION)


class ClearRecords(Input):
    """Deletes all records of a namespace, and of those below it."""

    op: Literal["clear"] = Field(description="What to do.")
    namespace: Namespace = Field(description=_NAMESPACE, examples=[["tenant", "acme"]])


RecordWrite = Annotated[PutRecord | DeleteRecord | ClearRecords, Field(discriminator="op")]


class RecordChange(Value):
    """What a write did."""

    version: int | None = Field(description="Version of the record that was stored; null if nothing was.")
    deleted: int = Field(description="How many records were deleted.")


class RecordChanges(Value):
    """What the writes of a call did, all or none."""

    changes: list[RecordChange] = Field(description="In the order of the writes.")


class Record(Value):
    """A record, exactly as it was stored."""

    namespace: list[str] = Field(description=_NAMESPACE)
    key: str = Field(description="Its key, unique in its namespace.")
    value: JsonValue = Field(description="Its value.")
    version: int = Field(description="Changes with every write, and is never used again in the bank.")
    created_at: datetime = Field(description="When it was first stored.")
    updated_at: datetime = Field(description="When it was last stored.")
    expires_at: datetime | None = Field(description="When it will be deleted; null for never.")
    score: float | None = Field(None, description="How well it matches the words; null without words.")


class FoundRecords(Value):
    """The records that were asked for by key."""

    records: list[Record | None] = Field(description="In the order of the keys; null where there is none.")


class Records(Value):
    """Records that a search found."""

    records: list[Record] = Field(description="Records, in the order asked for; with words, the best first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class Namespaces(Value):
    """The namespaces of a bank that hold records."""

    namespaces: list[list[str]] = Field(description="Namespaces, in alphabetical order.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class Condition(Input):
    """Compares a member of a record's value with a value."""

    member: str = Field(max_length=1_000, description="Name of a member of the value, which is an object.")
    op: Literal["eq", "ne", "gt", "gte", "lt", "lte"] = Field(
        "eq",
        description="How to compare. A member that is missing is null. Only two numbers or two strings have an order.",
    )
    value: JsonValue = Field(description="What to compare it with.")


class RecordSearch(Input):
    """Which records to list, or to find by words."""

    namespace: Prefix = Field((), description="First labels of the namespaces to look in; none for all.")
    exact: bool = Field(False, description="Whether to look in that namespace alone, not in those below it.")
    query: str | None = Field(
        None, max_length=10_000, description="Words to look for; the best match comes first. Default: list all."
    )
    filter: Annotated[tuple[Condition, ...], Strict(False)] = Field(
        (), max_length=MAX_CONDITIONS, description="Conditions that all hold."
    )
    order: Literal["oldest", "newest", "updated"] = Field(
        "oldest",
        description="Without words: in the order of creation, in the reverse order, or the last stored first.",
    )
    limit: Limit = Field(20, description="Maximum number of records.")
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), INTEGRAL] = Field(
        0, description="How many records to pass over first."
    )
    cursor: Cursor = None
    refresh_ttl: bool = Field(False, description="Whether the records found live for their `ttl_s` from now on.")


class RecordSearchFields(TypedDict, total=False):
    """Fields of a `RecordSearch` as keyword arguments."""

    namespace: Sequence[str]
    exact: bool
    query: str | None
    filter: Sequence[Condition | Mapping[str, object]]
    order: Literal["oldest", "newest", "updated"]
    limit: int
    offset: int
    cursor: str | None
    refresh_ttl: bool
