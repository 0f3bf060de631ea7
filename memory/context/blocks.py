"""Content blocks, texts and page images, in the formats of the providers' request bodies."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from foxing.memory.values.context import ContentFormat
from foxing.renderer.readers import PageImage, Reader

_Json = dict[str, JsonValue]


@dataclass(frozen=True)
class ImageBlock:
    """An image of a prompt."""

    content: bytes
    media_type: str
    width_px: int
    height_px: int
    #: Tokens that the reader bills for it.
    tokens: int

    @classmethod
    def of(cls, image: PageImage) -> "ImageBlock":
        """Returns a page image."""
        return cls(image.png, "image/png", image.width_px, image.height_px, image.tokens)


def written(blocks: Sequence[str | PageImage | ImageBlock], form: ContentFormat, reader: Reader) -> list[_Json]:
    """Returns `blocks` as the JSON content of a request body for `reader`. Images become Base64."""
    result = []
    for block in blocks:
        if isinstance(block, str):
            result.append(_text(block, form))
            continue
        image = block if isinstance(block, ImageBlock) else ImageBlock.of(block)
        result.append(_IMAGES[form](image, base64.b64encode(image.content).decode(), reader))
    return result


def request_fields(form: ContentFormat, reader: Reader, *, images: bool) -> _Json:
    """Returns the fields of a request body for `reader` that go with page images. `images`: whether it has any."""
    if images and form == "openai-responses" and reader.context_compression is not None:
        return {"image": {"context_compression": reader.context_compression}}
    return {}


def _text(text: str, form: ContentFormat) -> _Json:
    if form == "gemini":
        return {"text": text}
    return {"type": "input_text" if form == "openai-responses" else "text", "text": text}


def _anthropic(image: ImageBlock, data: str, reader: Reader) -> _Json:
    block: _Json = {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}
    if reader.oversized_image is not None:
        block["transformations"] = {"oversized_image": reader.oversized_image}
    return block


def _openai(image: ImageBlock, data: str, reader: Reader) -> _Json:
    return {"type": "image_url", "image_url": {"url": _url(image, data), "detail": reader.detail}}


def _openai_responses(image: ImageBlock, data: str, reader: Reader) -> _Json:
    return {"type": "input_image", "image_url": _url(image, data), "detail": reader.detail}


def _url(image: ImageBlock, data: str) -> str:
    return f"data:{image.media_type};base64,{data}"


def _gemini(image: ImageBlock, data: str, _: Reader) -> _Json:
    return {"inline_data": {"mime_type": image.media_type, "data": data}}


def _plain(image: ImageBlock, data: str, _: Reader) -> _Json:
    return {
        "type": "image",
        "media_type": image.media_type,
        "data": data,
        "width": image.width_px,
        "height": image.height_px,
        "tokens": image.tokens,
    }


_IMAGES: Mapping[ContentFormat, Callable[[ImageBlock, str, Reader], _Json]] = MappingProxyType(
    {
        "anthropic": _anthropic,
        "openai": _openai,
        "openai-responses": _openai_responses,
        "gemini": _gemini,
        "blocks": _plain,
    }
)
