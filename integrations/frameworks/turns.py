"""Turns of frameworks as messages to store: their objects become messages of a provider, which are parsed like any."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from foxing.memory import ImagePart, ProviderMessage, SessionTurns, Turn
from foxing.memory.conversation import label
from foxing.memory.images.files import check_pixels
from foxing.memory.images.limits import ImageRefused
from foxing.memory.ingest.provider_messages import with_images

_MAX_NAME_CHARS = 200
#: Cap on the images of a message together, so that it fits the body of a request.
_MAX_IMAGE_BYTES = 2 << 20


def turn_fields(turn: Turn, message_id: str, thread: str | None) -> dict[str, Any]:
    """Returns a turn as a message to store. An image that cannot be kept becomes a label."""
    return {"id": message_id, "role": turn.role, "content": with_images(turn.parts), "thread": thread}


def session_fields(
    session: str, messages: Sequence[ProviderMessage], first: int, thread: str | None
) -> list[dict[str, Any]]:
    """Returns the turns of the messages of a session from the one at `first` on, as messages to store, with the ids
    that they have by every way in. `messages`: all of the conversation."""
    turns = SessionTurns(session)
    read = [turns.read(message) for message in messages]
    return [sound(turn_fields(turn, name, thread)) for numbered in read[first:] for turn, name in numbered]


def message_fields(message: ProviderMessage) -> dict[str, Any] | None:
    """Returns a whole message as one to store, without an id; None if it says nothing."""
    turns = message.turns
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
    return sound(fields)


def sound(message: dict[str, Any]) -> dict[str, Any]:
    """Returns a message with labels in place of images that a bank refuses, or that are too large for a request."""
    return {**message, "content": list(_sound(message["content"]))}


def _sound(parts: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    size = 0
    for part in parts:
        file = ImagePart.model_validate(part).file if part["type"] == "image" else None
        if file is None:
            yield part
            continue
        size += len(file.content)
        try:
            check_pixels(file)
            reason = "it is too large for a request" if size > _MAX_IMAGE_BYTES else ""
        except ImageRefused as error:
            reason = str(error).partition(";")[0]
        yield {"type": "text", "text": label("image, not remembered", reason)} if reason else part
