"""Image blocks of providers as fields of an `ImagePart`. Nothing is decoded."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from .provider import Json

Fields = dict[str, Any]

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[\w.+-]*)*;base64,", re.IGNORECASE)
_OPENAI = ("image_url", "input_image", "computer_screenshot")
_FROM_URL = str.maketrans("-_", "+/")
_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")


def is_image(block: object) -> bool:
    """Returns True for an image of Anthropic, OpenAI (both APIs), Gemini, the AI SDK or our own."""
    if not isinstance(block, Mapping):
        return False
    kind = block.get("type")
    if kind is not None:
        return kind == "image" or kind in _OPENAI or str(block.get("mediaType") or "").startswith("image")
    return str(_of_gemini(block).get("media_type") or "").startswith("image/")


def image_fields(block: Json) -> Fields | None:
    """Returns the fields of an `ImagePart` for an image block; None for one with neither data nor an address."""
    kind = block.get("type")
    if "mediaType" in block or "image" in block:
        fields = _of_sdk(block)
    elif kind == "image":
        fields = _of_image(block)
    elif kind in _OPENAI:
        fields = _of_url(_address(block), {})
    else:
        fields = _of_gemini(block)
    has_content = any(isinstance(fields.get(name), str) for name in ("data", "url")) or fields.get("original")
    return fields if has_content else None


def data_url(value: object) -> str | None:
    """Returns the media type of a data URL in Base64; None for anything else."""
    match = _DATA_URL.match(value) if isinstance(value, str) else None
    return match[1] if match is not None else None


def _address(block: Json) -> object:
    address = block.get("image_url")
    url = address.get("url") if isinstance(address, Mapping) else address
    return f"file:{block['file_id']}" if not isinstance(url, str) and isinstance(block.get("file_id"), str) else url


def _of_image(block: Json) -> Fields:
    """Returns the fields of a block of type `image`, of Anthropic's form or our own."""
    source = block.get("source")
    if not isinstance(source, Mapping):
        others = {name: value for name, value in block.items() if name not in ("data", "url")}
        if block.get("data") is not None:
            return _of_url(_base64_of(block["data"]), others, name="data")
        return dict(block) if block.get("url") is None else _of_url(block["url"], others)
    if source.get("type") == "url":
        return _of_url(source.get("url"), {})
    if source.get("type") == "file":
        return {"type": "image", "url": f"file:{source.get('file_id')}"}
    return {"type": "image", "media_type": source.get("media_type"), "data": _base64_of(source.get("data"))}


def _of_sdk(block: Json) -> Fields:
    """Returns the fields of a part of the AI SDK with data or the address of a file."""
    data = block.get("data", block.get("image", block.get("url")))
    if isinstance(data, Mapping):
        data = data.get("data", data.get("url"))
    is_address = isinstance(data, str) and data.startswith(("http://", "https://"))
    return _of_url(data, {"media_type": block.get("mediaType")}, name="url" if is_address else "data")


def snake_cased(fields: Json) -> Json:
    """Returns members of Gemini's API under the names that its SDK gives them."""
    return {_CAPITAL.sub(lambda capital: f"_{capital[0].lower()}", str(name)): value for name, value in fields.items()}


def _of_gemini(block: Json) -> Fields:
    """Returns the fields of a part with data or the address of a file, of whatever kind; empty for other parts."""
    part = snake_cased(block)
    for name in ("inline_data", "file_data"):
        if isinstance(part.get(name), Mapping):
            blob = snake_cased(part[name])
            if name == "file_data":
                return {"type": "image", "url": blob.get("file_uri"), "media_type": blob.get("mime_type")}
            data = _base64_of(blob.get("data"))
            # the SDK writes the alphabet for URLs, and the API takes both
            data = data.translate(_FROM_URL) if isinstance(data, str) else data
            return {"type": "image", "media_type": blob.get("mime_type"), "data": data}
    return {}


def _of_url(url: Any, fields: Json, *, name: str = "url") -> Fields:
    """Returns fields with the data of a data URL, or else with `url` under `name`."""
    match = _DATA_URL.match(url) if isinstance(url, str) else None
    if match is None or not (match[1] or "image/").lower().startswith("image/"):
        is_data = isinstance(url, str) and url[:5].lower() == "data:"  # of another kind, which is refused
        return {"type": "image", **fields, "data" if is_data else name: url}
    return {"type": "image", **fields, "media_type": fields.get("media_type") or match[1], "data": url[match.end() :]}


def _base64_of(data: Any) -> Any:
    """Returns bytes in Base64, as clients in Python give them; anything else unchanged."""
    return base64.b64encode(data).decode() if isinstance(data, bytes) else data
