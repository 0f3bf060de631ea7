"""What is said in a framework's items, as messages to remember."""

import json
from collections.abc import Mapping, Sequence

from foxing.memory.values.base import Fields
from foxing.memory.values.messages import Role

#: A part of a message's content.
Part = dict[str, object]

_MOST_NAME_CHARS = 200


def message(role: Role, parts: Sequence[Part], name: object = None) -> Fields | None:
    """A message of these parts; None if there are none. A name that messages cannot have is left out."""
    if not parts:
        return None
    said: Fields = {"role": role, "content": list(parts)}
    if _is_name(name):
        said["name"] = str(name)
    return said


def text(value: object) -> list[Part]:
    """A text part; nothing for a blank text, and for what is no text."""
    return [{"type": "text", "text": value}] if isinstance(value, str) and value.strip() else []


def tool_call(call_id: object, name: object, arguments: object) -> list[Part]:
    """A tool call. `arguments`: an object, or a string that holds one."""
    given = {str(key): value for key, value in arguments.items()} if isinstance(arguments, Mapping) else arguments
    if _is_name(call_id) and _is_name(name) and isinstance(given, str | dict):
        return [{"type": "tool_call", "id": str(call_id), "name": str(name), "arguments": given}]
    return text(f"{name}({given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)})")


def tool_result(call_id: object, content: str, *, failed: bool = False) -> list[Part]:
    """What a tool answered."""
    if _is_name(call_id):
        return [{"type": "tool_result", "id": str(call_id), "content": content, "is_error": failed}]
    return text(content)


def texts(content: object) -> str:
    """The text of a content: a string, or a list of blocks with a `text` each. Other blocks are passed over."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    blocks = [block.get("text") if isinstance(block, Mapping) else block for block in content]
    return "\n".join(block for block in blocks if isinstance(block, str))


def _is_name(value: object) -> bool:
    """Whether messages can have it as a name or an id."""
    return isinstance(value, str) and 1 <= len(value) <= _MOST_NAME_CHARS and min(value) >= " "
