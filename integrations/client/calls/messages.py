"""Storing, recalling and putting together the next prompt."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from foxing.integrations.client.errors import InvalidRequest
from foxing.integrations.client.values import (
    Context,
    JsonInput,
    Message,
    NewMessage,
    Recalled,
    RecalledImages,
    Scalar,
    Stored,
)

from .call import LONG_S, Call, Request, bank_path, given, reading


class RecallFields(TypedDict, total=False):
    """What narrows a recall, as text or images."""

    #: Start of the time window: a time, RFC 3339, or words such as “3 weeks ago”.
    since: datetime | str | None
    #: End of the time window, in the same forms.
    until: datetime | str | None
    #: Time that words are relative to; over HTTP only if the service allows it.
    now: datetime | str | None
    timezone: str | None
    thread: str | None
    #: Members that the metadata of a message must have, with equal values.
    metadata: Mapping[str, Scalar] | None
    #: 1 to 500.
    limit: int
    cursor: str | None


class TextFields(RecallFields, total=False):
    """What narrows a recall as text."""

    max_tokens: int | None
    #: Messages before and after each match to return with it, 0 to 5.
    neighbours: int
    fidelity: Literal["remembered", "verbatim"]


class ImageFields(RecallFields, total=False):
    """What narrows a recall as page images."""

    #: Model that will look at the images.
    reader: str


class ContextFields(TypedDict, total=False):
    """What context is put together for."""

    query: str | None
    #: What the prompt holds already, as the provider's messages.
    messages: Iterable[Mapping[str, JsonInput]] | None
    thread: str | None
    now: datetime | str | None
    timezone: str | None
    form: Literal["anthropic", "openai", "gemini", "blocks"] | None
    keepsakes: bool
    show: Literal["best", "text", "images"]


def store(
    bank: str, messages: Iterable[NewMessage], *, thread: str | None = None, idempotency_key: str | None = None
) -> Call[Stored]:
    """Stores messages, all or none. Without `idempotency_key` the call has one of its own, so that sending it again
    stores nothing twice."""
    path = bank_path(bank, "messages")
    if isinstance(messages, str | bytes | Mapping):
        raise InvalidRequest("messages are a list of messages, such as [{'role': 'user', 'content': 'hello'}]")
    listed = [{"content": None, **given(message)} for message in messages]
    key = idempotency_key or uuid.uuid4().hex
    request = Request("POST", path, body=given({"messages": listed, "thread": thread}), idempotency_key=key)

    def in_process(memory: Any) -> Any:
        return memory.store(bank, listed, thread=thread, idempotency_key=key).model_dump(mode="json")

    return Call(request, reading(Stored), in_process)


def message(bank: str, message_id: str) -> Call[Message]:
    """One message as remembered."""
    request = Request("GET", bank_path(bank, "messages", message_id))
    return Call(request, reading(Message), lambda memory: memory.message(bank, message_id).model_dump(mode="json"))


def recall(bank: str, query: str | None = None, **fields: Unpack[TextFields]) -> Call[Recalled]:
    """The messages that answer `query`, best first; without one, those of the time window in time order."""
    body = given({"query": query, **fields})
    request = Request("POST", bank_path(bank, "recall"), body=body)
    return Call(request, reading(Recalled), lambda memory: memory.recall(bank, query, **fields).model_dump(mode="json"))


def recall_images(bank: str, query: str | None = None, **fields: Unpack[ImageFields]) -> Call[RecalledImages]:
    """Images of the pages that hold the messages that answer `query`."""
    body = given({"query": query, **fields, "format": "images"})
    request = Request("POST", bank_path(bank, "recall"), body=body)
    return Call(
        request,
        reading(RecalledImages),
        lambda memory: memory.recall_images(bank, query, **fields).model_dump(mode="json"),
    )


def context(bank: str, reader: str, budget: int, **fields: Unpack[ContextFields]) -> Call[Context]:
    """The next prompt for a reader, within a budget of its tokens."""
    values: dict[str, Any] = dict(fields)
    if values.get("messages") is not None:
        values["messages"] = [dict(entry) for entry in values["messages"]]
    sent = {("as" if name == "form" else name): value for name, value in values.items()}
    body = given({"reader": reader, "budget": budget, **sent})

    def in_process(memory: Any) -> Any:
        from foxing.memory import ContextRequest

        return memory.context(
            bank, ContextRequest.from_fields({"reader": reader, "budget": budget, **values})
        ).model_dump(mode="json")

    return Call(Request("POST", bank_path(bank, "context"), body=body, timeout_s=LONG_S), reading(Context), in_process)
