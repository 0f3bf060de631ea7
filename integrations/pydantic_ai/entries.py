"""Conversion of Pydantic AI's messages to messages to remember."""

from collections.abc import Sequence

from pydantic_ai.messages import (
    BaseToolCallPart,
    BaseToolReturnPart,
    BinaryContent,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    RetryPromptPart,
    TextContent,
    TextPart,
    UserContent,
    UserPromptPart,
)

from foxing.integrations.frameworks import message_parts
from foxing.memory.values.base import Fields


def prompt_text(content: str | Sequence[UserContent]) -> str:
    """Returns the text of a user prompt, without images and other files."""
    if isinstance(content, str):
        return content
    texts = [item.content if isinstance(item, TextContent) else item for item in content]
    return "\n".join(text for text in texts if isinstance(text, str))


def said(message: ModelMessage) -> list[Fields]:
    """Returns what a message says as messages to remember: prompts, answers, tool calls and tool results, in order.
    Images are parts of them; system prompts, instructions, thinking and other files are left out."""
    if isinstance(message, ModelRequest):
        return [each for part in message.parts if (each := _requested(part)) is not None]
    parts: list[message_parts.Part] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts += message_parts.text(part.content)
        elif isinstance(part, FilePart):
            parts += _images([part.content])
        elif isinstance(part, BaseToolCallPart):
            parts += message_parts.tool_call(part.tool_call_id, part.tool_name, part.args_as_json_str())
    answer = message_parts.message("assistant", parts)
    return [] if answer is None else [answer]


def _requested(part: object) -> Fields | None:
    if isinstance(part, UserPromptPart):
        files = [] if isinstance(part.content, str) else _images(part.content)
        return message_parts.message("user", message_parts.text(prompt_text(part.content)) + files)
    if isinstance(part, BaseToolReturnPart):
        failed = part.outcome != "success"
        result = message_parts.tool_result(part.tool_call_id, part.model_response_str(), failed=failed)
        return message_parts.message("tool", result + _images(part.files), part.tool_name)
    if isinstance(part, RetryPromptPart) and part.tool_name is not None:
        result = message_parts.tool_result(part.tool_call_id, part.model_response(), failed=True)
        return message_parts.message("tool", result, part.tool_name)
    return None


def _images(content: Sequence[object]) -> list[message_parts.Part]:
    """Returns the images among the items of a content."""
    found: list[message_parts.Part] = []
    for item in content:
        if isinstance(item, ImageUrl):
            found.append({"type": "image", "url": item.url})
        elif isinstance(item, BinaryContent) and item.is_image:
            found.append({"type": "image", "data": item.data})
    return message_parts.images(found)
