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
    """Options of a seal request."""

    now: Now = None
    timezone: Timezone = None


class AgeRequest(Input):
    """Options of an ageing request."""

    now: Now = None
    timezone: Timezone = None
    dry_run: bool = Field(
        default=False,
        description="Change nothing; report which pages would move, what would be lost, and the savings.",
    )
    preview: Annotated[int, Field(ge=0, le=MAX_PREVIEWED_PAGES), INTEGRAL] = Field(
        default=PREVIEWED_PAGES,
        description="In a dry run: number of pages, oldest first, to count fading words of; each takes a few tenths of "
        "a second.",
    )


class UndoRequest(Input):
    """Selection of dropped data to restore."""

    since: str | None = Field(
        default=None,
        description="Restore only what was dropped at this time or later: an RFC 3339 time, a date, or words such as "
        "“2 hours ago”. Default: everything within the undo window.",
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
    """A recall by query, by time window, or both. Without a query, messages come in time order."""

    model_config = ConfigDict(json_schema_extra=_BY_FORMAT)

    format: Format = Field("text", description="text: spans of text; images: page images for a reader.")


class RecordWrites(Input):
    """Records to store and to delete, all or none."""

    writes: Annotated[list[RecordWrite], FailFast()] = Field(
        min_length=1, max_length=MAX_WRITES, description="Writes, applied in this order."
    )


class RecordKeys(Input):
    """Records to read."""

    records: Annotated[list[RecordKey], FailFast()] = Field(
        min_length=1, max_length=MAX_WRITES, description="Namespaces and keys of the records."
    )
    refresh_ttl: bool = Field(default=False, description="Restart the `ttl_s` of the records from now.")


class NamespaceList(Input):
    """Selection of namespaces to list."""

    prefix: Prefix = Field(default=(), description="First labels of the namespaces; an empty list selects all.")
    limit: Limit = Field(default=100, description="Maximum number of namespaces.")
    cursor: Cursor = None
