"""Records, and the requests to write and search them. The values are also schemas of the HTTP interface."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self, TypedDict

from pydantic import AfterValidator, Field, JsonValue, Strict, model_validator
from pydantic_core import PydanticCustomError

from .base import INTEGRAL, Cursor, Input, Limit, MemoryRequest, Value
from .metadata import check_json_size

MAX_RECORD_BYTES = 1 << 20  # 1 MiB, as compact JSON in UTF-8
MAX_LABELS = 20
MAX_WRITES = 1_000  # per call
MAX_CONDITIONS = 20
MAX_OFFSET = 1_000_000
MAX_VECTORS = 200  # per record
MAX_DIMENSIONS = 4_096
LONGEST_TTL_S = 36_525 * 86_400.0  # 100 years

_PATTERN = r"^[^\x00\x1f]+$"


def _check_name(name: str) -> str:
    if "\x00" in name or "\x1f" in name:  # PostgreSQL has no U+0000; U+001F terminates stored labels
        raise PydanticCustomError("control", "it contains U+0000 or U+001F; remove them")
    return _check_text(name)


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = "it contains half of a surrogate pair; send valid UTF-8"
        raise PydanticCustomError("surrogate", reason) from error
    return text


def _check_value(value: JsonValue) -> JsonValue:
    check_json_size(value, MAX_RECORD_BYTES, "split the record")
    return value


#: A label of a namespace.
Label = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra={"pattern": _PATTERN}), AfterValidator(_check_name)
]
#: The path of a record: labels from the widest to the narrowest. Labels match exactly, not by prefix.
Namespace = Annotated[tuple[Label, ...], Strict(False), Field(min_length=1, max_length=MAX_LABELS)]
#: The first labels of a namespace; empty for all namespaces.
Prefix = Annotated[tuple[Label, ...], Strict(False), Field(max_length=MAX_LABELS)]
RecordKeyText = Annotated[
    str, Field(min_length=1, max_length=1_000, json_schema_extra={"pattern": _PATTERN}), AfterValidator(_check_name)
]
#: An embedding: at least one number, in any scale.
Vector = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], ...],
    Strict(False),
    Field(min_length=1, max_length=MAX_DIMENSIONS),
]
RecordValue = Annotated[JsonValue, AfterValidator(_check_value)]
#: 2⁵³ − 1 at most, which JSON parsers that use doubles represent exactly.
Version = Annotated[int, Field(ge=0, le=(1 << 53) - 1), INTEGRAL]

_IF_VERSION = (
    "Required version of the record; 0: it must not exist. If another version is stored, the whole call fails (409)."
)
_NAMESPACE = "Labels, from the widest to the narrowest."


class RecordKey(Input):
    """Namespace and key of a record."""

    namespace: Namespace = Field(description=_NAMESPACE, examples=[["tenant", "acme"]])
    key: RecordKeyText = Field(description="Key, unique in its namespace.", examples=["preferences"])


class PutRecord(RecordKey):
    """Stores a record, replacing one with the same key."""

    op: Literal["put"] = Field(description="The operation.")
    value: RecordValue = Field(description="Any JSON value of at most 1 MiB. It is returned exactly.")
    text: Annotated[str, AfterValidator(_check_text)] | None = Field(
        None,
        max_length=MAX_RECORD_BYTES,
        description="Text to search, empty to exclude the record from searches. Default: all strings of the value.",
    )
    vectors: Annotated[tuple[Vector, ...], Strict(False)] | None = Field(
        None,
        max_length=MAX_VECTORS,
        description="Embeddings of its text, of equal length, by an embedder of the caller, for searches by `vector`. "
        "Default: the server's embedder embeds the text.",
    )
    ttl_s: float | None = Field(
        None, gt=0, le=LONGEST_TTL_S, description="Seconds after which it is deleted. Default: never."
    )
    if_version: Version | None = Field(None, description=_IF_VERSION)

    @model_validator(mode="after")
    def _check_vectors(self) -> Self:
        if self.vectors and len({len(vector) for vector in self.vectors}) > 1:
            raise PydanticCustomError("vectors", "vectors differ in length; use one embedder for all of them")
        return self


class DeleteRecord(RecordKey):
    """Deletes a record if it exists."""

    op: Literal["delete"] = Field(description="The operation.")
    if_version: Version | None = Field(None, description=_IF_VERSION)


class CheckRecord(RecordKey):
    """Changes nothing, but fails the whole call (409) unless the record has this version."""

    op: Literal["check"] = Field(description="The operation.")
    if_version: Version = Field(description=_IF_VERSION)


class ClearRecords(Input):
    """Deletes all records of a namespace and of the namespaces below it."""

    op: Literal["clear"] = Field(description="The operation.")
    namespace: Namespace = Field(description=_NAMESPACE, examples=[["tenant", "acme"]])


RecordWrite = Annotated[PutRecord | DeleteRecord | CheckRecord | ClearRecords, Field(discriminator="op")]


class RecordChange(Value):
    """The result of a write."""

    version: int | None = Field(description="Version of the stored record; null if none was stored.")
    deleted: int = Field(description="Number of records deleted.")


class RecordChanges(Value):
    """The results of the writes of a call, which are atomic."""

    changes: list[RecordChange] = Field(description="Results, in the order of the writes.")


class Record(Value):
    """A record, exactly as it was stored."""

    namespace: list[str] = Field(description=_NAMESPACE)
    key: str = Field(description="Key, unique in its namespace.")
    value: JsonValue = Field(description="The value, as stored.")
    version: int = Field(description="Changes with every write; never reused in the bank.")
    created_at: datetime = Field(description="Time at which it was first stored.")
    updated_at: datetime = Field(description="Time at which it was last stored.")
    expires_at: datetime | None = Field(description="Time at which it expires; null for never.")
    score: float | None = Field(None, description="Score for the query or vector; null without one.")


class FoundRecords(Value):
    """Records fetched by key."""

    records: list[Record | None] = Field(description="Records, in the order of the keys; null for a missing one.")


class Records(Value):
    """Search results, with a cursor."""

    records: list[Record] = Field(description="Records, in the requested order; with a query, best match first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class Namespaces(Value):
    """A list of the namespaces that contain records, with a cursor."""

    namespaces: list[list[str]] = Field(description="Namespaces, in alphabetical order.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class Condition(Input):
    """A comparison of a member of a record's value, which is a JSON object."""

    member: str = Field(
        max_length=1_000,
        description="Name of the member, or names joined by dots for a member of an object in the value.",
    )
    op: Literal["eq", "ne", "gt", "gte", "lt", "lte"] = Field(
        "eq",
        description="Comparison operator. A missing member is null. Only two numbers or two strings are ordered.",
    )
    value: JsonValue = Field(description="Value to compare the member with.")


class RecordSearch(MemoryRequest):
    """A listing of records, or a search by meaning and words."""

    namespace: Prefix = Field((), description="First labels of the namespaces to search; empty for all.")
    exact: bool = Field(False, description="Whether to search only that namespace, not those below it.")
    query: str | None = Field(
        None,
        max_length=10_000,
        description="Text to search for by meaning and by words, best match first. Default: list all.",
    )
    vector: Vector | None = Field(
        None,
        description="Embedding to search for among `vectors` of the same length, by cosine similarity, instead of "
        "`query`.",
    )
    filter: Annotated[tuple[Condition, ...], Strict(False)] = Field(
        (), max_length=MAX_CONDITIONS, description="Conditions that a record must meet, all of them."
    )
    order: Literal["oldest", "newest", "updated", "last_key"] = Field(
        "oldest",
        description="Order without a query: by creation, oldest or newest first; last stored first; or by key, "
        "descending, which requires `exact`.",
    )
    limit: Limit = Field(20, description="Maximum number of records.")
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), INTEGRAL] = Field(0, description="Number of records to skip.")
    cursor: Cursor = None
    refresh_ttl: bool = Field(False, description="Whether to restart the `ttl_s` of the records found.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.order == "last_key" and not self.exact:
            raise PydanticCustomError("order", "the order 'last_key' requires exact: true")
        return self


class RecordSearchFields(TypedDict, total=False):
    """Fields of a `RecordSearch` as keyword arguments."""

    namespace: Sequence[str]
    exact: bool
    query: str | None
    vector: Sequence[float] | None
    filter: Sequence[Condition | Mapping[str, object]]
    order: Literal["oldest", "newest", "updated", "last_key"]
    limit: int
    offset: int
    cursor: str | None
    refresh_ttl: bool
