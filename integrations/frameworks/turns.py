"""Turns of frameworks as messages to store: their objects become messages of a provider, which are parsed like any."""

from collections.abc import Sequence
from typing import Any

from foxing.memory import ProviderMessage, SessionTurns, Turn, WebCalls
from foxing.memory.ingest.provider_messages import sound, with_images

_MAX_NAME_CHARS = 200


def turn_fields(turn: Turn, message_id: str, thread: str | None) -> dict[str, Any]:
    """Returns a turn as a message to store. An image that cannot be kept becomes a label."""
    fields = {"id": message_id, "role": turn.role, "content": with_images(turn.parts), "thread": thread}
    return fields if turn.trust is None else {**fields, "trust": turn.trust}


def session_fields(
    session: str, messages: Sequence[ProviderMessage], first: int, thread: str | None
) -> list[dict[str, Any]]:
    """Returns the turns of the messages of a session from the one at `first` on, as messages to store, with the ids
    that they have by every way in. `messages`: all of the conversation."""
    turns = SessionTurns(session)
    read = [turns.read(message) for message in messages]
    return [sound(turn_fields(turn, name, thread)) for numbered in read[first:] for turn, name in numbered]


def message_fields(message: ProviderMessage, calls: WebCalls | None = None) -> dict[str, Any] | None:
    """Returns a whole message as one to store, without an id; None if it says nothing. `calls`: those of the messages
    before it; a message with a result of the web is one of the web."""
    calls = calls or WebCalls()
    turns = list(map(calls.with_origin, message.turns))
    if not turns:
        return None
    parts = list[dict[str, Any]]()
    for part in with_images(part for turn in turns for part in turn.parts):
        if part["type"] == "text" and parts and parts[-1]["type"] == "text":
            part = {"type": "text", "text": f"{parts.pop()['text']}\n{part['text']}"}
        parts.append(part)
    fields: dict[str, Any] = {"role": turns[0].role, "content": parts}
    name = message.name
    if name is not None and 1 <= len(name) <= _MAX_NAME_CHARS and min(name) >= " ":
        fields["name"] = name
    trust = next((turn.trust for turn in turns if turn.trust is not None), None)
    return sound(fields if trust is None else {**fields, "trust": trust})
