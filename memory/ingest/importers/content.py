"""The text of an imported message: content parts and tool calls, in the shapes of chat APIs, become plain text."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from foxing.memory.errors import InvalidInput


def text_of(fields: Mapping[str, Any]) -> str:
    """The message's text, then its tool calls, one JSON object a line; parts without text become “[type]”.

    Raises `InvalidInput` if there is neither text nor a tool call.
    """
    content = fields.get("content", fields.get("text"))
    if isinstance(content, list):
        content = "\n".join(_part(part) for part in content)
    calls = fields.get("tool_calls") or []
    if content is None and (calls or "content" in fields):
        content = ""
    if not isinstance(content, str):
        raise InvalidInput("content: give a text")
    return "\n".join([*([content] if content or not calls else []), *map(_tool_call, calls)])


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return cast("str", part["text"])
    return f"[{part.get('type', 'part')}]" if isinstance(part, dict) else "[part]"


def _tool_call(call: Any) -> str:
    """{"tool_call": name, "id": …, "arguments": …}."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return json.dumps({"tool_call": call}, ensure_ascii=False)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # arguments that are not JSON are kept as a string
            arguments = json.loads(arguments)
    known = {"tool_call": function.get("name"), "id": call.get("id"), "arguments": arguments}
    return json.dumps({name: value for name, value in known.items() if value is not None}, ensure_ascii=False)
