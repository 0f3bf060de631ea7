"""Request bodies. Responses are the values of `foxing.memory.values`."""

from typing import Annotated, Literal

from pydantic import ConfigDict, FailFast, Field, JsonValue
from pydantic.config import JsonDict

from foxing.memory.ingest.validate import MAX_MESSAGES
from foxing.memory.values.base import INTEGRAL, MAX_CURSOR_CHARS, Input, Limit
from foxing.memory.values.context import MAX_BUDGET, MAX_GIVEN, ContentFormat, Show
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.metadata import Scalar
from foxing.memory.values.recall import MAX_QUERY_CHARS, Fidelity
from foxing.memory.values.records import MAX_WRITES, Prefix, RecordKey, RecordWrite
from foxing.memory.values.reports import MAX_PREVIEWED_PAGES, PREVIEWED_PAGES

#: Fields of `RecallRequest` that format 'images' does not support.
FORMAT_TEXT_ONLY = ("max_tokens", "neighbours", "fidelity")
NOW = (
    "Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which stand for the "
    "start of that day"
)
CURSOR = "^[A-Za-z0-9_-]*=*$"
TIMEZONE = "Time zone that dates and words are read in, for example 'Europe/Berlin'. Default: UTC."


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

    now: str | None = Field(default=None, description=f"{NOW}; only if FOXING_TIME_TRAVEL allows it.")
    timezone: str | None = Field(default=None, description=TIMEZONE)


class AgeRequest(Input):
    """Options for ageing."""

    now: str | None = Field(default=None, description=f"{NOW}; only in a dry run or if FOXING_TIME_TRAVEL allows it.")
    timezone: str | None = Field(default=None, description=TIMEZONE)
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
    now: str | None = Field(default=None, description=f"{NOW}; only if FOXING_TIME_TRAVEL allows it.")
    timezone: str | None = Field(default=None, description=TIMEZONE)


#: `max_tokens` and `fidelity` are for text, `reader` is for images.
_BY_FORMAT: JsonDict = {
    "if": {"properties": {"format": {"const": "images"}}, "required": ["format"]},
    "then": {"properties": {name: False for name in FORMAT_TEXT_ONLY}},
    "else": {"properties": {"reader": {"type": "null"}}},
}


class RecallRequest(Input):
    """Messages to recall: those that answer a query, those of a time window in time order, or both."""

    model_config = ConfigDict(json_schema_extra=_BY_FORMAT)

    query: str | None = Field(
        default=None,
        max_length=MAX_QUERY_CHARS,
        description="Question or search terms. Messages of a time mentioned in it rank higher; `since` and `until` "
        "exclude. Without a query, or with a time alone, the whole time window is recalled.",
    )
    since: str | None = Field(
        default=None, description="Start of the time window: an RFC 3339 time, a date, or words such as “3 weeks ago”."
    )
    until: str | None = Field(default=None, description="End of the time window, in the same form.")
    now: str | None = Field(default=None, description=f"{NOW}; only if FOXING_TIME_TRAVEL allows it.")
    timezone: str | None = Field(default=None, description=TIMEZONE)
    thread: str | None = Field(default=None, description="Restricts recall to this thread.")
    metadata: dict[str, Scalar] | None = Field(
        default=None,
        description="Restricts recall to messages whose metadata has these members, with equal values. Null matches "
        "only a null that is there.",
    )
    limit: Limit = Field(default=20, description="Maximum number of spans or images.")
    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR_CHARS,
        pattern=CURSOR,
        description="The `next_cursor` of the previous response.",
    )
    max_tokens: Annotated[int, Field(ge=1), INTEGRAL] | None = Field(
        default=None,
        description="Maximum number of text tokens in all spans together, each with who spoke and when. What does not "
        "fit is passed over.",
    )
    neighbours: Annotated[int, Field(ge=0, le=5), INTEGRAL] = Field(
        default=0,
        description="How many messages before and after each match in its thread to return with it, marked with "
        "`neighbour_of`. Those outside the time window, or without the metadata asked for, are left out.",
    )
    fidelity: Fidelity = Field(
        default="remembered",
        description="remembered: the best version that the memory holds; verbatim: only exact text that is still kept.",
    )
    format: Literal["text", "images"] = Field(
        default="text", description="text: spans of text; images: page images for a reader."
    )
    reader: str | None = Field(
        default=None,
        description="Model that will look at the images, for which they are laid out and in whose tokens they are "
        "billed; only with format 'images'. Default: 'native', which is shown pages as they are held.",
    )


class ContextBody(Input):
    """A model that will read the content, what it may cost, and what is asked."""

    reader: str = Field(
        max_length=200, description="Name of the reader, such as 'claude', 'gpt-6', 'gemini-3' or 'text'."
    )
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET), INTEGRAL] = Field(
        description="Tokens that the content may cost, as the reader bills."
    )
    query: str | None = Field(
        default=None,
        max_length=MAX_QUERY_CHARS,
        description="What to recall; by default the text of the last user message of `messages`.",
    )
    messages: list[dict[str, JsonValue]] | None = Field(
        default=None,
        max_length=MAX_GIVEN,
        description="What the prompt holds already, as the provider's messages, oldest first; none of it is repeated.",
    )
    thread: str | None = Field(
        default=None,
        max_length=200,
        description="The thread whose last messages are given exactly; recall looks at all threads. Default: any.",
    )
    now: str | None = Field(default=None, description=f"{NOW}; only if FOXING_TIME_TRAVEL allows it.")
    timezone: str | None = Field(default=None, description=TIMEZONE)
    form: ContentFormat | None = Field(
        default=None,
        alias="as",
        description="Whose request bodies the content is for; blocks: none of them. Default: the reader's provider.",
    )
    keepsakes: bool = Field(
        default=True, description="Whether identifiers stand as text beside the image that shows them."
    )
    show: Show = Field(
        default="best",
        description="What recall found is shown as text or page image, whichever shows more for a billed token, or as "
        "one of them alone.",
    )


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
    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR_CHARS,
        pattern=CURSOR,
        description="The `next_cursor` of the previous response.",
    )
