"""Content of imported messages: what chat APIs and our own exports have, as a text or parts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from foxing.memory.conversation import Fields, Turn, label, parse_message
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, Part

from .attached_images import kept
from .files import HistoryFiles
from .source import ImportedMessage

#: Returns the image of the fields of an image part; None if it cannot be kept.
ImageOf = Callable[[Mapping[str, Any]], ImagePart | None]


def content_of(fields: Mapping[str, Any]) -> str | tuple[Part, ...]:
    """Returns the content of a message followed by its tool calls: a plain text if there are no tool calls or results.

    Images in tool results follow these. Blocks without words become labels. An image that cannot be kept is an error.
    Raises `InvalidInput` if there is neither content nor a tool call.
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
    return imported(parse_message("openai", {**fields, "role": role, "content": content}).parts)


def imported(parts: Sequence[Fields], image_of: ImageOf | None = None) -> str | tuple[Part, ...]:
    """Returns the content of parts that were read: a plain text if that is all there is. `image_of`: called for
    each image; by default, one that cannot be kept is an error. Raises `InvalidInput`."""
    content = parts if image_of is None else _with_images(parts, image_of)
    try:
        message = NewMessage.model_validate({"role": "assistant", "content": list(content) or ""})
    except ValidationError as error:
        raise InvalidInput(_reason(error)) from error
    return str(message.content) if message.parts is None else message.parts


def turn_messages(
    files: HistoryFiles,
    where: str,
    turns: Iterable[tuple[Turn, str]],
    *,
    thread: str,
    at: Any,
    metadata: Mapping[str, Any] | None,
) -> list[ImportedMessage]:
    """Returns turns with their ids as messages, the first of which has the metadata. Raises `ValidationError` and
    `InvalidInput`."""
    fields = [
        {
            "id": turn_id,
            "role": turn.role,
            "content": imported(turn.parts, partial(kept, files, where=where)),
            "created_at": at or None,
            "thread": thread,
            "metadata": None if number else metadata,
            "trust": turn.trust,
        }
        for number, (turn, turn_id) in enumerate(turns)
    ]
    return [ImportedMessage(NewMessage.model_validate(message), where, files.bytes_read) for message in fields]


def _with_images(parts: Sequence[Any], image_of: ImageOf) -> list[Fields | Part]:
    """Returns parts with the images that are kept. A label stands for each other one."""
    pieces: list[Any] = []
    for part in parts:
        image = image_of(part) if part["type"] == "image" else None
        if part["type"] != "image" or image is not None:
            pieces.append(image or part)
        elif pieces and isinstance(pieces[-1], dict) and pieces[-1]["type"] == "text":
            pieces[-1] = {"type": "text", "text": f"{pieces[-1]['text']}\n{label('image')}"}
        else:
            pieces.append({"type": "text", "text": label("image")})
    return pieces


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
