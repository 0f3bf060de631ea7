"""Request bodies. Responses are the values of `foxing.memory.values`."""

from typing import Annotated

from pydantic import ConfigDict, FailFast, Field
from pydantic.config import JsonDict

from foxing.memory.ingest.validate import MAX_MESSAGES
from foxing.memory.values.base import INTEGRAL, Cursor, Input, Limit, Now, Timezone
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.recall import Format, RecallQuery, fields_only_for
from foxing.memory.values.records import MAX_WRITES, Prefix, RecordKey, RecordWrite
from foxing.memory.values.reports import MAX_PREVIEWED_PAGES, PREVIEWED_PAGES


class StoreRequest(Input):
    """Messages to store, all or none."""

    messages: Annotated[list[NewMessage], FailFast()] = Field(
        min_length=1, max_length=MAX_MESSAGES, description="Messages in the order of the conversation."
    )
    thread: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Thread of the messages that do not name one themselves.",
    )


class SealRequest(Input):
    """Options for sealing."""

    now: Now = None
    timezone: Timezone = None


class AgeRequest(Input):
    """Options for ageing."""

    now: Now = None
    timezone: Timezone = None
    dry_run: bool = Field(
        default=False,
        description="Change nothing; report what would move or be forgotten, and how much it would save.",
    )
    preview: Annotated[int, Field(ge=0, le=MAX_PREVIEWED_PAGES), INTEGRAL] = Field(
        default=PREVIEWED_PAGES,
        description="In a dry run: of how many pages, oldest first, to work out which words would fade; each takes "
        "some tenths of a second.",
    )


class UndoRequest(Input):
    """What ageing dropped and is to come back."""

    since: str | None = Field(
        default=None,
        description="Only what was dropped then or later: an RFC 3339 time, a date, or words such as “2 hours ago”. "
        "Default: all that is within its undo window.",
    )
    page: str | None = Field(default=None, max_length=40, description="Id of the page; default: all pages.")
    now: Now = None
    timezone: Timezone = None


_BY_FORMAT: JsonDict = {
    "if": {"properties": {"format": {"const": "images"}}, "required": ["format"]},
    "then": {"properties": {name: False for name in fields_only_for("text")}},
    "else": {"properties": {name: False for name in fields_only_for("images")}},
}


class RecallRequest(RecallQuery):
    """Messages to recall: those that answer a query, those of a time window in time order, or both."""

    model_config = ConfigDict(json_schema_extra=_BY_FORMAT)

    format: Format = Field("text", description="text: spans of text; images: page images for a reader.")


class RecordWrites(Input):
    """Records to store and to delete, all or none."""

    writes: Annotated[list[RecordWrite], FailFast()] = Field(
        min_length=1, max_length=MAX_WRITES, description="What to do, in this order."
    )


class RecordKeys(Input):
    """Which records to read."""

    records: Annotated[list[RecordKey], FailFast()] = Field(
        min_length=1, max_length=MAX_WRITES, description="Their namespaces and keys."
    )
    refresh_ttl: bool = Field(default=False, description="Whether they live for their `ttl_s` from now on.")


class NamespaceList(Input):
    """Which namespaces to list."""

    prefix: Prefix = Field(default=(), description="Their first labels; none for all.")
    limit: Limit = Field(default=100, description="Maximum number of namespaces.")
    cursor: Cursor = None
