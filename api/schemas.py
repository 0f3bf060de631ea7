"""Request bodies. Responses are the values of `foxing.memory.values`."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, FailFast, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from foxing.memory import InvalidInput, NewMessage, Provider, RecallQuery, Value
from foxing.memory.ingest.provider_messages import messages_of
from foxing.memory.ingest.validate import MAX_MESSAGES
from foxing.memory.values.base import (
    CURSOR,
    INTEGRAL,
    MAX_CURSOR_CHARS,
    MAX_PREVIEWED_PAGES,
    PREVIEWED_PAGES,
    Cursor,
    Input,
    Limit,
    Now,
    Timezone,
)
from foxing.memory.values.recall import Format, fields_only_for
from foxing.memory.values.records import MAX_WRITES, Prefix, RecordKey, RecordWrite
from foxing.memory.values.threads import ThreadQuery


class StoreRequest(Input):
    """Messages to store, all or none."""

    _left_out: dict[str, int] = PrivateAttr({})

    messages: Annotated[list[NewMessage], FailFast()] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        description="Messages in the order of the conversation, at least one. With `provider`, as its API has them.",
    )
    provider: Provider | None = Field(
        default=None,
        description="The messages are in the format of this API: those of a request or an answer of Anthropic's "
        "Messages (`anthropic`), of OpenAI's chat completions (`openai`) or Responses (`openai-responses`), the "
        "contents of Gemini (`gemini`), or the prompt of a model of the AI SDK for JavaScript (`ai-sdk`). Each is "
        "stored as a message for each turn: the words of a speaker, a tool call, or its result. Blocks without words "
        "become labels, and thinking is left out.",
    )
    thread: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Thread of the messages that do not name one themselves.",
    )

    session: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f]*$",
        description="With `provider`: the messages are a conversation from its beginning, and this is the id of its "
        "session, or `auto` for one that follows from its first words. Each turn has the id that it has by every way "
        "in, so that it is stored once, however often the conversation is sent. Its thread is `thread`, by default the "
        "session. Messages that cannot be read are left out.",
        examples=["session-42"],
    )
    answer: str | None = Field(
        default=None,
        description="With `provider`: body of the answer to the messages as it came, JSON or a stream of events, which "
        "is stored after them if it is complete. For `ai-sdk`, the result of the model, or the parts of its stream as "
        "events.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _read_items(cls, fields: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Reads messages of a provider."""
        items = fields.get("messages") if isinstance(fields, dict) else None
        if not isinstance(items, list) or fields.get("provider") is None:
            request = handler(fields)
            if request.session is not None or request.answer is not None:
                raise PydanticCustomError("provider", "session and answer need provider, the format of the messages")
            return request
        if len(items) > MAX_MESSAGES:
            return handler(fields)
        members = {name: fields.get(name) for name in ("thread", "session", "answer")}
        if not all(value is None or isinstance(value, str) for value in members.values()):
            return handler({**fields, "messages": []})
        try:
            read = messages_of(fields["provider"], items, **members)
        except InvalidInput as error:
            raise PydanticCustomError("provider", "{reason}", {"reason": str(error)}) from error
        # a list of messages is not empty
        nothing = [{"role": "user", "content": ""}] if read.left_out or members["session"] else []
        request = handler({**fields, "messages": read.messages or nothing})
        if not read.messages:
            request.messages.clear()
        request._left_out = read.left_out
        return request

    @property
    def left_out(self) -> dict[str, int]:
        """Counts of what is not stored of the messages of a provider; see `StoreResult.left_out`."""
        return self._left_out


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


class ReencodeRequest(Input):
    """Options of a reencoding."""

    dry_run: bool = Field(default=False, description="Change nothing; report which pages would be reencoded.")


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


def _build(value: type[Value]) -> None:
    """Builds the validators of a class of values and of its subclasses. FastAPI takes those of bodies as they are."""
    value.model_config["defer_build"] = False  # nor do validators that FastAPI derives
    value.model_rebuild()
    for derived in value.__subclasses__():
        _build(derived)


_build(Value)


class ThreadConditions(ThreadQuery):
    """Query of a list of threads."""

    model_config = ConfigDict(strict=False)

    limit: int = Field(50, ge=1, le=500, description="Maximum number of entries.")
    cursor: str | None = Field(
        None,
        max_length=MAX_CURSOR_CHARS,
        pattern=CURSOR,
        description="The `next_cursor` of the previous response.",
    )
