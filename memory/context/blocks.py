"""Content blocks, texts and page images, in the formats of the providers' request bodies."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from foxing.memory.conversation import Fields
from foxing.memory.conversation.render import render_blocks
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
    parts = [_part(block) for block in blocks]
    if form == "blocks":
        return parts
    asked = {"detail": reader.detail, "oversized_image": reader.oversized_image}
    return render_blocks(form, (part if part["type"] == "text" else part | asked for part in parts))


def request_fields(form: ContentFormat, reader: Reader, *, images: bool) -> _Json:
    """Returns the fields of a request body for `reader` that go with page images. `images`: whether it has any."""
    if images and form == "openai-responses" and reader.context_compression is not None:
        return {"image": {"context_compression": reader.context_compression}}
    return {}


def _part(block: str | PageImage | ImageBlock) -> Fields:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    image = block if isinstance(block, ImageBlock) else ImageBlock.of(block)
    return {
        "type": "image",
        "media_type": image.media_type,
        "data": base64.b64encode(image.content).decode(),
        "width": image.width_px,
        "height": image.height_px,
        "tokens": image.tokens,
    }
