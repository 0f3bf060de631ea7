"""Content of imported messages: converts the formats of chat APIs, and of our own exports, to a text or parts."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput
from foxing.memory.values.parts import ImagePart, Part, TextPart, ToolCall, ToolResult, image_fields


def content_of(fields: Mapping[str, Any]) -> str | tuple[Part, ...]:
    """Returns the content of a message followed by its tool calls: a plain text if there are no tool calls or results.

    Blocks of other types become “[type]”. Raises `InvalidInput` if there is neither content nor a tool call.
    """
    calls = fields.get("tool_calls") or []
    content = next((fields[key] for key in ("content", "parts", "text") if fields.get(key) is not None), None)
    if content is None and (calls or "content" in fields):
        content = ""
    if isinstance(content, list):
        parts = _merged(_block(block, f"content[{number}]") for number, block in enumerate(content))
    elif isinstance(content, str):
        parts = [TextPart(text=content)] if content or not calls else []
    else:
        raise InvalidInput("content: expected a text")
    if not isinstance(calls, list):
        raise InvalidInput("tool_calls: expected a list")
    if fields.get("role") == "tool" and fields.get("tool_call_id") is not None:
        parts = [_result(fields["tool_call_id"], content, False, "tool_call_id")]
    parts += [_call(call, f"tool_calls[{number}]") for number, call in enumerate(calls)]
    return tuple(parts) or ""


def _merged(blocks: Iterable[Part | str]) -> list[Part]:
    """Returns the blocks as parts. A placeholder, given as a string, is appended to the text before it."""
    parts: list[Part] = []
    for block in blocks:
        if not isinstance(block, str):
            parts.append(block)
        elif parts and isinstance(parts[-1], TextPart):
            parts[-1] = TextPart(text=f"{parts[-1].text}\n{block}")
        else:
            parts.append(TextPart(text=block))
    return parts


def _block(block: Any, where: str) -> Part | str:
    """Returns a content block as a part, or a placeholder for one without text."""
    if isinstance(block, str):
        return TextPart(text=block)
    if not isinstance(block, dict):
        return "[part]"
    kind = block.get("type", "part")
    if kind in ("tool_use", "tool_call"):
        return _call(block, where)
    if kind == "tool_result":
        call_id = block.get("tool_use_id", block.get("id"))
        return _result(call_id, block.get("content"), bool(block.get("is_error")), where)
    fields = image_fields(block)
    if fields.get("type") == "image" and any(fields.get(name) is not None for name in ("data", "url", "original")):
        try:
            return ImagePart.model_validate(fields)
        except ValidationError as error:
            raise InvalidInput(f"{where}: {_reason(error)}") from error
    return TextPart(text=block["text"]) if isinstance(block.get("text"), str) else f"[{kind}]"


def _call(call: Any, where: str) -> ToolCall:
    """Returns a tool call in the format of OpenAI, of Anthropic or of our own. The name of the tool replaces a missing
    id."""
    if not isinstance(call, dict):
        raise InvalidInput(f"{where}: expected an object with the name and the arguments of the tool")
    inner = call.get("function", call.get("custom", call))
    fields: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    name = fields.get("name")
    given = [fields[key] for key in ("arguments", "input") if fields.get(key) is not None]
    try:
        return ToolCall.model_validate(
            {"id": call.get("id") or name, "name": name, "arguments": given[0] if given else {}}
        )
    except ValidationError as error:
        raise InvalidInput(f"{where}: {_reason(error)}") from error


def _result(call_id: Any, content: Any, is_error: bool, where: str) -> ToolResult:
    """Returns a tool result; text blocks become lines."""
    blocks = content if isinstance(content, list) else [] if content is None else [content]
    try:
        text = "\n".join(_text(_block(block, where)) for block in blocks)
        return ToolResult(id=call_id, content=text, is_error=is_error)
    except ValidationError as error:
        raise InvalidInput(f"{where}: {_reason(error)}") from error


def _text(block: Part | str) -> str:
    return block.text if isinstance(block, TextPart) else block if isinstance(block, str) else f"[{block.type}]"


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{first['loc'][0] if first['loc'] else 'block'}: {first['msg']}"
