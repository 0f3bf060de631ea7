"""What is said in the items of a run."""

from collections.abc import Mapping

from foxing.integrations.client import NewMessage, Role
from foxing.integrations.frameworks import spoken

_ROLES: Mapping[object, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
}


def message_of(item: Mapping[str, object]) -> NewMessage | None:
    """The message in an item: text, a tool call, or what a tool answered. None for everything else, such as reasoning
    and images."""
    kind = item.get("type")
    if kind == "function_call":
        return spoken.message(
            "assistant", spoken.tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        )
    if kind == "function_call_output":
        return spoken.message("tool", spoken.tool_result(item.get("call_id"), spoken.texts(item.get("output"))))
    role = _ROLES.get(item.get("role"))
    if kind not in (None, "message") or role is None:
        return None
    return spoken.message(role, spoken.text(spoken.texts(item.get("content"))))
