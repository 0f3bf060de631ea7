"""Requests of conversations: their paths, and the ids under which a provider holds what was said before."""

from collections.abc import Mapping
from typing import Any

from .provider import Wire

#: Ends of the paths of requests that count the tokens of a conversation, and of those that continue it.
_COUNTS: Mapping[str, Wire] = {
    "/messages/count_tokens": "anthropic",
    "/responses/input_tokens": "openai-responses",
    ":countTokens": "gemini",
}
_CALLS: Mapping[str, Wire] = {
    "/messages": "anthropic",
    "/chat/completions": "openai",
    "/responses": "openai-responses",
    ":generateContent": "gemini",
    ":streamGenerateContent": "gemini",
}


def wire_of(path: str) -> tuple[Wire, bool] | None:
    """Returns the format of the conversation in a request by its path, and whether it only counts tokens; None for
    other paths."""
    path = path.rstrip("/")
    for ends, counts in ((_COUNTS, True), (_CALLS, False)):
        wire = next((name for end, name in ends.items() if path.endswith(end)), None)
        if wire is not None:
            return wire, counts
    return None


def held_by(wire: Wire, fields: Mapping[str, Any]) -> str | None:
    """Returns the id under which the provider holds what was said before a request; None if the request says all."""
    if wire == "anthropic":
        thread = fields.get("thread")
        return _id(thread.get("previous_message_id")) if isinstance(thread, Mapping) else None
    if wire == "openai-responses":
        return _id(fields.get("previous_response_id")) or conversation_id(fields)
    return None


def conversation_id(fields: Mapping[str, Any]) -> str | None:
    """Returns the conversation of the provider to which a request or an answer belongs; None if there is none."""
    conversation = fields.get("conversation")
    return _id(conversation.get("id") if isinstance(conversation, Mapping) else conversation)


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
