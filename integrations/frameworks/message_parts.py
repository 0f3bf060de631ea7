"""Messages to remember, built from the items of a framework."""

import json
from collections.abc import Mapping, Sequence

from foxing.memory.values.base import Fields
from foxing.memory.values.messages import Role

#: A part of a message's content.
Part = dict[str, object]

_MOST_NAME_CHARS = 200


def message(role: Role, parts: Sequence[Part], name: object = None) -> Fields | None:
    """Returns a message with these parts; None if there are none. An invalid `name` is omitted."""
    if not parts:
        return None
    said: Fields = {"role": role, "content": list(parts)}
    if _is_name(name):
        said["name"] = str(name)
    return said


def text(value: object) -> list[Part]:
    """Returns a list with one text part; empty for a blank string or another type."""
    return [{"type": "text", "text": value}] if isinstance(value, str) and value.strip() else []


def tool_call(call_id: object, name: object, arguments: object) -> list[Part]:
    """Returns a list with one tool call part; a text part if its id or name is invalid. `arguments`: a mapping, or a
    JSON string."""
    given = {str(key): value for key, value in arguments.items()} if isinstance(arguments, Mapping) else arguments
    if _is_name(call_id) and _is_name(name) and isinstance(given, str | dict):
        return [{"type": "tool_call", "id": str(call_id), "name": str(name), "arguments": given}]
    return text(f"{name}({given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)})")


def tool_result(call_id: object, content: str, *, failed: bool = False) -> list[Part]:
    """Returns a list with one tool result part; a text part if its id is invalid."""
    if _is_name(call_id):
        return [{"type": "tool_result", "id": str(call_id), "content": content, "is_error": failed}]
    return text(content)


def texts(content: object) -> str:
    """Returns the text of a content: a string, or a list of blocks with `text`. Other blocks are ignored."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    blocks = [block.get("text") if isinstance(block, Mapping) else block for block in content]
    return "\n".join(block for block in blocks if isinstance(block, str))


def _is_name(value: object) -> bool:
    """Returns True if `value` is valid as a name or an id."""
    return isinstance(value, str) and 1 <= len(value) <= _MOST_NAME_CHARS and min(value) >= " "
