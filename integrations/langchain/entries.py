"""Conversion of LangChain messages to transcript items and back."""

from collections.abc import Mapping, Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)
from pydantic import JsonValue

from foxing.integrations.frameworks import message_parts
from foxing.integrations.frameworks.exact_json import exact_json
from foxing.integrations.frameworks.transcript import TranscriptItem
from foxing.memory.errors import InvalidInput
from foxing.memory.values.base import Fields
from foxing.memory.values.messages import Role

_ROLES: Mapping[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
}


def entries(messages: Sequence[BaseMessage]) -> list[TranscriptItem]:
    """Returns messages as transcript items. Raises `InvalidInput` for a message that cannot be restored exactly."""
    return [_entry(message, f"message {number}") for number, message in enumerate(messages)]


def message_of(item: JsonValue) -> BaseMessage:
    """Returns the message of an item. Raises `InvalidInput` if it is not a valid LangChain message."""
    try:
        if isinstance(item, dict):
            return messages_from_dict([item])[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"langchain-core cannot parse this message: {error}") from error
    raise InvalidInput("the history contains an item that is not a LangChain message")


def _entry(message: BaseMessage, what: str) -> TranscriptItem:
    if not isinstance(message, BaseMessage):
        kind = type(message).__name__
        raise InvalidInput(f"{what} is of type {kind}; pass messages of langchain_core.messages")
    value = exact_json(message_to_dict(message), what)
    message_of(value)
    return TranscriptItem(value, said(message))


def said(message: BaseMessage) -> Fields | None:
    """Returns the text, images, tool calls and tool results as a message to remember; None if there are none. Other
    blocks, such as reasoning, are ignored."""
    text = message_parts.texts(message.content)
    if isinstance(message, ToolMessage):
        result = message_parts.tool_result(message.tool_call_id, text, failed=message.status == "error")
        return message_parts.message("tool", result + message_parts.images(message.content), message.name)
    parts = message_parts.text(text) + message_parts.images(message.content)
    if isinstance(message, AIMessage):
        for call in message.tool_calls:
            parts += message_parts.tool_call(call["id"], call["name"], call["args"])
    return message_parts.message(_role(message), parts, message.name)


def _role(message: BaseMessage) -> Role:
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role, "user")
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, FunctionMessage):
        return "tool"
    return "system" if isinstance(message, SystemMessage) else "user"
