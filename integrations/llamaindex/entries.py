"""Conversion of LlamaIndex messages to messages to remember."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

from llama_index.core.base.llms.types import (
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)

from foxing.integrations.frameworks import message_parts
from foxing.memory.errors import InvalidInput
from foxing.memory.values.base import Fields
from foxing.memory.values.messages import Role

_ROLES: Mapping[MessageRole, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "developer",
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


def said(messages: Sequence[ChatMessage]) -> list[tuple[str | None, Fields]]:
    """Returns (session, message to remember) for each message that is not empty. Blocks other than text, images and
    tool calls are replaced by their type in brackets. Raises `InvalidInput` for an item that is not a message."""
    found = []
    for number, message in enumerate(messages):
        if not isinstance(message, ChatMessage):
            kind = type(message).__name__
            raise InvalidInput(f"message {number} is of type {kind}; pass LlamaIndex messages")
        new = _message(message)
        session = message.additional_kwargs.get("session_id")
        if new is not None:
            found.append((session if isinstance(session, str) else None, new))
    return found


def _message(message: ChatMessage) -> Fields | None:
    role = _ROLES[message.role]
    name = message.additional_kwargs.get("name")
    call_id = message.additional_kwargs.get("tool_call_id")
    if role == "tool" and call_id is not None:
        lines = [line for block in message.blocks for line in _lines(block)]
        shown = [part for block in message.blocks if isinstance(block, ImageBlock) for part in _image(block)]
        return message_parts.message(role, message_parts.tool_result(call_id, "\n".join(lines)) + shown, name)
    parts: list[message_parts.Part] = []
    for block in message.blocks:
        if isinstance(block, ToolCallBlock):
            parts += message_parts.tool_call(block.tool_call_id, block.tool_name, _plain(block.tool_kwargs))
        elif isinstance(block, ImageBlock) and (image := _image(block)):
            parts += image
        elif block.block_type not in ("thinking", "cache"):
            parts += [part for line in _lines(block) for part in message_parts.text(line)]
    return message_parts.message(role, parts, name)


def _lines(block: object) -> list[str]:
    """Returns the text of a block and its nested blocks; the type of any other block in brackets."""
    if isinstance(block, TextBlock):
        return [block.text]
    if isinstance(block, CitableBlock):
        return [block.title, *(line for inner in block.content for line in _lines(inner))]
    if isinstance(block, CitationBlock):
        return [block.title, *_lines(block.cited_content)]
    return [f"[{getattr(block, 'block_type', 'unknown')}]"]


def _image(block: ImageBlock) -> list[message_parts.Part]:
    """Returns an image as a part; nothing if it cannot be kept. Files are read, addresses are kept and not fetched."""
    if block.image is None and block.path is None:
        return message_parts.images([{"type": "image", "url": str(block.url)}])
    name = {} if block.path is None else {"name": block.path.name}
    with suppress(OSError, ValueError):
        return message_parts.images([{"type": "image", "data": block.resolve_image().read(), **name}])
    return []


def _plain(arguments: Mapping[str, object] | str) -> object:
    """Returns the arguments of a tool call as JSON types; other values, such as times, as strings."""
    return arguments if isinstance(arguments, str) else json.loads(json.dumps(arguments, default=str))
