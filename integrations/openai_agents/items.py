"""Conversion of the items of a run to messages to remember."""

from collections.abc import Mapping

from foxing.integrations.frameworks import message_parts
from foxing.memory.values.base import Fields
from foxing.memory.values.messages import Role

_ROLES: Mapping[object, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
}


def message_of(item: Mapping[str, object]) -> Fields | None:
    """Returns the message of an item: text and images, a tool call, or a tool result. None for other items, such as
    reasoning."""
    kind = item.get("type")
    if kind == "function_call":
        return message_parts.message(
            "assistant", message_parts.tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        )
    if kind == "function_call_output":
        result = message_parts.tool_result(item.get("call_id"), message_parts.texts(item.get("output")))
        return message_parts.message("tool", result + message_parts.images(item.get("output")))
    role = _ROLES.get(item.get("role"))
    if kind not in (None, "message") or role is None:
        return None
    content = item.get("content")
    parts = message_parts.text(message_parts.texts(content)) + message_parts.images(content)
    return message_parts.message(role, parts)
