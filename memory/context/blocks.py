"""Content blocks, and how the request bodies of providers write them."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from foxing.memory.values.context import ContentFormat


@dataclass(frozen=True)
class TextBlock:
    """A text."""

    text: str


@dataclass(frozen=True)
class ImageBlock:
    """A page image."""

    png: bytes
    width_px: int
    height_px: int
    #: What the reader bills for it.
    tokens: int

    @property
    def data(self) -> str:
        """The PNG in Base64."""
        return base64.b64encode(self.png).decode()


Block = TextBlock | ImageBlock
_Json = dict[str, JsonValue]


def written(blocks: Sequence[Block], form: ContentFormat) -> list[_Json]:
    """`blocks` as JSON, in the form that goes into a request body."""
    write = _FORMS[form]
    return [write(block) for block in blocks]


def _anthropic(block: Block) -> _Json:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": block.data}}


def _openai(block: Block) -> _Json:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    url = f"data:image/png;base64,{block.data}"
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def _gemini(block: Block) -> _Json:
    if isinstance(block, TextBlock):
        return {"text": block.text}
    return {"inline_data": {"mime_type": "image/png", "data": block.data}}


def _plain(block: Block) -> _Json:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    return {
        "type": "image",
        "media_type": "image/png",
        "data": block.data,
        "width": block.width_px,
        "height": block.height_px,
        "tokens": block.tokens,
    }


_FORMS: Mapping[ContentFormat, Callable[[Block], _Json]] = MappingProxyType(
    {"anthropic": _anthropic, "openai": _openai, "gemini": _gemini, "blocks": _plain}
)
