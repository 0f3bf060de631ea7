"""What calls about records take and return."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Required, TypeAlias, TypedDict

from .values import JsonInput, JsonValue


class PutRecord(TypedDict, total=False):
    """Stores a record, in the place of one that has the same key."""

    op: Required[Literal["put"]]
    #: Labels, from the widest to the narrowest.
    namespace: Required[Sequence[str]]
    key: Required[str]
    value: Required[JsonInput]
    #: What a search by words looks at, empty for nothing. Default: all strings of the value.
    text: str | None
    #: Seconds after which it is deleted. Default: never.
    ttl_s: float | None
    #: Only if the record has this version; 0: only if there is none.
    if_version: int | None


class DeleteRecord(TypedDict, total=False):
    """Deletes a record, if it is there."""

    op: Required[Literal["delete"]]
    namespace: Required[Sequence[str]]
    key: Required[str]
    if_version: int | None


class ClearRecords(TypedDict):
    """Deletes all records of a namespace, and of those below it."""

    op: Literal["clear"]
    namespace: Sequence[str]


RecordWrite: TypeAlias = PutRecord | DeleteRecord | ClearRecords


class Condition(TypedDict, total=False):
    """Compares a member of a record's value with a value. A member that is missing is null."""

    member: Required[str]
    op: Literal["eq", "ne", "gt", "gte", "lt", "lte"]
    value: Required[JsonInput]


@dataclass(frozen=True)
class RecordChange:
    """What a write did."""

    #: Version of the record that was stored; None if nothing was.
    version: int | None
    #: How many records were deleted.
    deleted: int


@dataclass(frozen=True)
class RecordChanges:
    """What the writes of a call did, all or none, in their order."""

    changes: tuple[RecordChange, ...]


@dataclass(frozen=True)
class Record:
    """A record, exactly as it was stored."""

    namespace: tuple[str, ...]
    key: str
    value: JsonValue
    #: Changes with every write, and is never used again in the bank.
    version: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    #: How well it matches the words; None without words.
    score: float | None = None


@dataclass(frozen=True)
class FoundRecords:
    """The records that were asked for, in the order of the keys; None where there is none."""

    records: tuple[Record | None, ...] = ()


@dataclass(frozen=True)
class Records:
    """Records that a search found."""

    records: tuple[Record, ...] = ()
    next_cursor: str | None = None


@dataclass(frozen=True)
class Namespaces:
    """The namespaces of a bank that hold records, in alphabetical order."""

    namespaces: tuple[tuple[str, ...], ...] = field(default=())
    next_cursor: str | None = None
