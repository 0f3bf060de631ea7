"""Conversion of LangChain messages to transcript items and back."""

from collections.abc import Mapping, Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)
from pydantic import JsonValue

from foxing.integrations.frameworks.exact_json import exact_json
from foxing.integrations.frameworks.transcript import TranscriptItem
from foxing.integrations.frameworks.turns import message_fields
from foxing.memory import InvalidInput, ProviderMessage, WebCalls, parse_message
from foxing.memory.values.messages import Role

_ROLES: Mapping[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
}


def entries(messages: Sequence[BaseMessage]) -> list[TranscriptItem]:
    """Returns messages as transcript items. Raises `InvalidInput` for a message that cannot be restored exactly."""
    calls = WebCalls()
    return [_entry(message, f"message {number}", calls) for number, message in enumerate(messages)]


def message_of(item: JsonValue) -> BaseMessage:
    """Returns the message of an item. Raises `InvalidInput` if it is not a valid LangChain message."""
    try:
        if isinstance(item, dict):
            return messages_from_dict([item])[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"langchain-core cannot parse this message: {error}") from error
    raise InvalidInput("the history contains an item that is not a LangChain message")


def _entry(message: BaseMessage, what: str, calls: WebCalls) -> TranscriptItem:
    if not isinstance(message, BaseMessage):
        kind = type(message).__name__
        raise InvalidInput(f"{what} is of type {kind}; pass messages of langchain_core.messages")
    value = exact_json(message_to_dict(message), what)
    message_of(value)
    return TranscriptItem(value, message_fields(provider_message(message), calls))


def provider_message(message: BaseMessage) -> ProviderMessage:
    """Returns a message as one of Anthropic's API, whose content may have blocks of any."""
    content: list[object] = [message.content] if isinstance(message.content, str) else list(message.content)
    if isinstance(message, ToolMessage):
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "is_error": message.status == "error"}
        return _parsed("user", [{**result, "content": [_block(block) for block in content]}], message)
    calls: dict[object, object] = {}
    if isinstance(message, AIMessage):
        calls = {call["id"]: {**call, "type": "tool_use", "input": call["args"]} for call in message.tool_calls}
    blocks = [calls.pop(_call_id(block), None) or _block(block) for block in content]
    return _parsed(_role(message), [*blocks, *calls.values()], message)


def text_of(message: BaseMessage) -> str:
    """Returns the words of a message, without tool calls and results."""
    return "\n".join(turn.text for turn in provider_message(message).turns if turn.text)


def _parsed(role: Role, content: list[object], message: BaseMessage) -> ProviderMessage:
    return parse_message("anthropic", {"role": role, "content": content, "name": message.name, "id": message.id})


def _call_id(block: object) -> object:
    """Returns the id of the tool call that a block of a content makes; None for any other."""
    if not isinstance(block, Mapping) or block.get("type") not in ("tool_use", "tool_call", "function_call"):
        return None
    return block.get("call_id", block.get("id"))


def _block(block: object) -> object:
    """Returns a block of LangChain's own form in one of a provider; others unchanged."""
    if not isinstance(block, Mapping):
        return block
    if block.get("type") == "reasoning":
        return {"type": "thinking", "thinking": block.get("reasoning")}
    if block.get("type") == "image" and ("base64" in block or "source_type" in block or "mime_type" in block):
        data = block.get("base64", block.get("data"))
        return {"type": "image", "media_type": block.get("mime_type"), "data": data, "url": block.get("url")}
    return block


def _role(message: BaseMessage) -> Role:
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role, "user")
    if isinstance(message, AIMessage):
        return "assistant"
    return "system" if isinstance(message, SystemMessage) else "user"
