"""Conversion of LlamaIndex messages to messages to remember."""

import json
from collections.abc import Mapping, Sequence

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from foxing.integrations.frameworks.turns import message_fields
from foxing.memory import Fields, InvalidInput, ProviderMessage, WebCalls, parse_message
from foxing.memory.conversation import label
from foxing.memory.values.messages import Role

_ROLES: Mapping[MessageRole, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}


def text_of(message: ChatMessage) -> str:
    """Returns the text blocks of a message, one per line."""
    return "\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))


def session_messages(messages: Sequence[ChatMessage]) -> list[tuple[str | None, Fields]]:
    """Returns (session, message to remember) for each message that says something. Blocks without words become labels.
    Raises `InvalidInput` for an item that is not a message."""
    pairs = []
    calls = WebCalls()
    for number, message in enumerate(messages):
        if not isinstance(message, ChatMessage):
            kind = type(message).__name__
            raise InvalidInput(f"message {number} is of type {kind}; pass LlamaIndex messages")
        new = message_fields(_parsed(message), calls)
        session = message.additional_kwargs.get("session_id")
        if new is not None:
            pairs.append((session if isinstance(session, str) else None, new))
    return pairs


def _parsed(message: ChatMessage) -> ProviderMessage:
    """Returns a message as one of Anthropic's API."""
    content = [item for block in message.blocks for item in _items(block)]
    call_id = message.additional_kwargs.get("tool_call_id")
    role = _ROLES[message.role]
    if role == "tool" and call_id is not None:
        content = [{"type": "tool_result", "tool_use_id": call_id, "content": content}]
    name = message.additional_kwargs.get("name")
    return parse_message("anthropic", {"role": "user" if role == "tool" else role, "content": content, "name": name})


def _items(block: object) -> list[Fields]:
    """Returns a block, and those inside it, as blocks of a provider."""
    if isinstance(block, TextBlock):
        return [{"type": "text", "text": block.text}]
    if isinstance(block, ThinkingBlock):
        return [{"type": "thinking", "thinking": block.content}]
    if isinstance(block, ToolCallBlock):
        call = {"id": block.tool_call_id, "name": block.tool_name, "input": _plain(block.tool_kwargs)}
        return [{"type": "tool_use", **call}]
    if isinstance(block, ImageBlock):
        return [_image(block)]
    if isinstance(block, CitableBlock):
        return [{"type": "text", "text": block.title}, *(item for inner in block.content for item in _items(inner))]
    if isinstance(block, CitationBlock):
        return [{"type": "text", "text": block.title}, *_items(block.cited_content)]
    return [] if isinstance(block, CachePoint) else [{"type": getattr(block, "block_type", "unknown")}]


def _image(block: ImageBlock) -> Fields:
    """Returns an image as a block. Files are read, addresses are kept and not fetched."""
    if block.image is None and block.path is None:
        return {"type": "image", "url": str(block.url)}
    name = {} if block.path is None else {"name": block.path.name}
    try:
        return {"type": "image", "data": block.resolve_image().read(), **name}
    except (OSError, ValueError) as error:
        return {"type": "text", "text": label("image, not remembered", error)}


def _plain(arguments: Mapping[str, object] | str) -> object:
    """Returns the arguments of a tool call as JSON types; other values, such as times, as strings."""
    return arguments if isinstance(arguments, str) else json.loads(json.dumps(arguments, default=str))
