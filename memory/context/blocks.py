"""Content blocks, texts and page images, in the formats of the providers' request bodies."""

import base64
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pydantic import JsonValue

from foxing.memory.values.context import ContentFormat
from foxing.renderer.readers import PageImage, Reader

_Json = dict[str, JsonValue]


def written(blocks: Sequence[str | PageImage], form: ContentFormat, reader: Reader) -> list[_Json]:
    """Returns `blocks` as the JSON content of a request body for `reader`. Images become Base64 PNG."""
    return [
        _text(block, form)
        if isinstance(block, str)
        else _IMAGES[form](block, base64.b64encode(block.png).decode(), reader)
        for block in blocks
    ]


def request_fields(form: ContentFormat, reader: Reader, *, images: bool) -> _Json:
    """Returns the fields of a request body for `reader` that go with page images. `images`: whether it has any."""
    if images and form == "openai-responses" and reader.context_compression is not None:
        return {"image": {"context_compression": reader.context_compression}}
    return {}


def _text(text: str, form: ContentFormat) -> _Json:
    if form == "gemini":
        return {"text": text}
    return {"type": "input_text" if form == "openai-responses" else "text", "text": text}


def _anthropic(_: PageImage, data: str, reader: Reader) -> _Json:
    block: _Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    if reader.oversized_image is not None:
        block["transformations"] = {"oversized_image": reader.oversized_image}
    return block


def _openai(_: PageImage, data: str, reader: Reader) -> _Json:
    return {"type": "image_url", "image_url": {"url": _url(data), "detail": reader.detail}}


def _openai_responses(_: PageImage, data: str, reader: Reader) -> _Json:
    return {"type": "input_image", "image_url": _url(data), "detail": reader.detail}


def _url(data: str) -> str:
    return f"data:image/png;base64,{data}"


def _gemini(_: PageImage, data: str, __: Reader) -> _Json:
    return {"inline_data": {"mime_type": "image/png", "data": data}}


def _plain(image: PageImage, data: str, _: Reader) -> _Json:
    return {
        "type": "image",
        "media_type": "image/png",
        "data": data,
        "width": image.width_px,
        "height": image.height_px,
        "tokens": image.tokens,
    }


_IMAGES: Mapping[ContentFormat, Callable[[PageImage, str, Reader], _Json]] = MappingProxyType(
    {
        "anthropic": _anthropic,
        "openai": _openai,
        "openai-responses": _openai_responses,
        "gemini": _gemini,
        "blocks": _plain,
    }
)
