"""Token counts that are the same on every machine, and the images of a request."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from foxing.memory import UnknownReader
from foxing.renderer import Readers
from foxing.renderer.readers.billing import Billing, Patches

#: Counts the tokens of a text.
CountText = Callable[[str], int]

#: Tokens that a block costs beside its text.
BLOCK_TOKENS = 4
#: Tokens of a document, for each 1,000 characters of its base64 data.
_DOCUMENT_TOKENS_PER_1000 = 20
_CLAUDE = Patches(side=28, max_side_px=1568, max_patches=1568)
_GPT = Patches(side=32, max_side_px=2048, max_patches=1536)
#: Members that cost nothing.
_FREE = frozenset({"type", "id", "signature", "encrypted_content", "cache_control"})
#: Members whose order of keys the model sees.
_ORDERED = frozenset({"input", "input_schema", "arguments", "parameters", "schema"})


def count_bytes(text: str) -> int:
    """Returns a quarter of the UTF-8 bytes of a text, rounded up."""
    return -(-len(text.encode()) // 4)


@dataclass(frozen=True)
class Image:
    """An image of a request."""

    media_type: str
    width: int
    height: int
    #: Bytes of the file.
    size: int


@lru_cache(maxsize=256)
def read_image(data: str) -> Image:
    """Returns what is known of an image in base64. Raises `ValueError` for data that is not an image."""
    from PIL import Image as Images

    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError("invalid base64 data") from error
    try:
        with Images.open(BytesIO(content)) as image:
            return Image(f"image/{(image.format or '').lower()}", image.width, image.height, len(content))
    except OSError as error:
        raise ValueError("could not process image") from error


def billing_of(model: str, provider: str) -> Billing:
    """Returns the formula by which a model bills images, from the reader profiles, or that of its provider."""
    try:
        billing = Readers()[model].billing
    except UnknownReader:
        billing = None
    return billing or (_CLAUDE if provider == "anthropic" else _GPT)


def canonical(value: Any, *, without: frozenset[str] = frozenset()) -> Any:
    """Returns JSON whose keys are in a fixed order, except where the model sees their order, and without null members
    and the members named `without`."""
    if isinstance(value, dict):
        return {
            key: inner if key in _ORDERED else canonical(inner, without=without)
            for key, inner in sorted(value.items())
            if key not in without and inner is not None
        }
    if isinstance(value, list):
        return [canonical(inner, without=without) for inner in value]
    return value


def compact(value: Any) -> str:
    """Returns a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Counter:
    """Counts the tokens of blocks. A text costs `count_text`, an image what the model bills for it."""

    def __init__(self, count_text: CountText, model: str, provider: str) -> None:
        self._count_text = count_text
        self._billing = billing_of(model, provider)

    def block(self, block: Any) -> int:
        """Returns the tokens of a block, an item, a tool or a text."""
        return BLOCK_TOKENS + self._inner(block)

    def _inner(self, value: Any) -> int:
        if isinstance(value, str):
            return self._count_text(value)
        if isinstance(value, list):
            return sum(self._inner(each) for each in value)
        if not isinstance(value, dict):
            return self._count_text(compact(value))
        kind = value.get("type")
        if kind in ("image", "input_image", "image_url"):
            return self._image(value)
        if kind in ("document", "input_file", "file"):
            return 1 + len(compact(value)) * _DOCUMENT_TOKENS_PER_1000 // 1000
        texts = [inner for key, inner in value.items() if key not in _FREE]
        return sum(
            self._inner(inner) if isinstance(inner, str | list) else self._count_text(compact(inner)) for inner in texts
        )

    def _image(self, value: dict[str, Any]) -> int:
        data = image_data(value)
        if data is None:
            return self._billing.tokens(1024, 1024)
        try:
            image = read_image(data)
        except ValueError:
            return 0
        return self._billing.tokens(image.width, image.height)


def image_data(block: dict[str, Any]) -> str | None:
    """Returns the base64 data of an image block of any wire; None for one that names a URL or a file."""
    source = block.get("source")
    if isinstance(source, dict):
        data = source.get("data")
        return data if isinstance(data, str) else None
    url = block.get("image_url")
    url = url.get("url") if isinstance(url, dict) else url
    if isinstance(url, str) and url.startswith("data:"):
        return url.partition(",")[2]
    return None
