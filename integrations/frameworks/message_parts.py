"""Messages to remember, built from the items of a framework."""

import json
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from foxing.memory.conversation import image_fields
from foxing.memory.images.decoding import normalised
from foxing.memory.images.limits import ImageRefused
from foxing.memory.values.base import Fields
from foxing.memory.values.messages import Role
from foxing.memory.values.parts import ImagePart

#: A part of a message's content.
Part = dict[str, object]

_MOST_NAME_CHARS = 200
#: Cap on the images of a message together, so that it fits the body of a request.
_MOST_IMAGE_BYTES = 2 << 20


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


def images(content: object) -> list[Part]:
    """Returns the images in a list of blocks of LangChain, LlamaIndex, OpenAI, Anthropic or Gemini as parts. An image
    that cannot be kept, or is too large for a request, is left out, so that the message around it is remembered."""
    if isinstance(content, str) or not isinstance(content, Sequence):
        return []
    found, size = list[Part](), 0
    for block in content:
        fields = image_fields(_of_langchain(block)) if isinstance(block, Mapping) else None
        if not isinstance(fields, Mapping) or fields.get("type") != "image":
            continue
        try:
            part = ImagePart.model_validate({**fields})
            if (file := part.file) is not None:
                size += len(file.content)
                if size > _MOST_IMAGE_BYTES:
                    continue
                normalised(file)
        except (ValidationError, ImageRefused):
            continue
        given = part.model_dump(include={"type", "media_type", "data", "url", "name", "alt"}, exclude_none=True)
        found.append(given)
    return found


def _of_langchain(block: Mapping[str, object]) -> Mapping[str, object]:
    """Returns an image block of LangChain's own form in ours; others unchanged."""
    if block.get("type") != "image" or not ("base64" in block or "source_type" in block or "mime_type" in block):
        return block
    data = block.get("base64", block.get("data"))
    return {"type": "image", "media_type": block.get("mime_type"), "data": data, "url": block.get("url")}


def _is_name(value: object) -> bool:
    """Returns True if `value` is valid as a name or an id."""
    return isinstance(value, str) and 1 <= len(value) <= _MOST_NAME_CHARS and min(value) >= " "
