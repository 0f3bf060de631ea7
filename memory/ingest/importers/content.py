"""Content of imported messages: what chat APIs and our own exports have, as a text or parts."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from foxing.memory.conversation import parse_message
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import Part


def content_of(fields: Mapping[str, Any]) -> str | tuple[Part, ...]:
    """Returns the content of a message followed by its tool calls: a plain text if there are no tool calls or results.

    Blocks without words become labels. Raises `InvalidInput` if there is neither content nor a tool call.
    """
    calls = fields.get("tool_calls") or []
    content = next((fields[key] for key in ("content", "parts", "text") if fields.get(key) is not None), None)
    if content is None and not calls and "content" not in fields:
        raise InvalidInput("content: expected a text")
    if content is not None and not isinstance(content, str | list):
        raise InvalidInput("content: expected a text")
    if not isinstance(calls, list):
        raise InvalidInput("tool_calls: expected a list")
    role = "tool" if fields.get("role") == "tool" and fields.get("tool_call_id") is not None else "assistant"
    if isinstance(content, str) and not calls and role == "assistant":
        return content
    parts = parse_message("openai", {**fields, "role": role, "content": content}).parts
    try:
        message = NewMessage(role="assistant", content=list(parts) or "")
    except ValidationError as error:
        raise InvalidInput(_reason(error)) from error
    return str(message.content) if message.parts is None else message.parts


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
