"""Writer of messages in the formats of providers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .blocks import Fields
from .parse import ProviderMessage
from .provider import FORMATS, Provider, ProviderFormat, Wire


def render(provider: Provider, messages: Iterable[ProviderMessage]) -> list[dict[str, Any]]:
    """Returns messages as a request of a provider has them. One that was parsed and not changed is the object that
    came."""
    return [_rendered(FORMATS[provider], message) for message in messages]


def user_message(provider: Provider, blocks: list[dict[str, Any]]) -> ProviderMessage:
    """Returns a new message of the user. `blocks`: in the format of the provider, see `render_blocks`."""
    form = FORMATS[provider]
    raw = {"type": form.message, "role": "user"} if form.message else {"role": "user"}
    return ProviderMessage(raw, "user", (), blocks)


def render_blocks(provider: Wire, parts: Iterable[Fields]) -> list[dict[str, Any]]:
    """Returns texts and images as blocks of a message of the user. An image has `media_type`, `data` in Base64, and
    may have what the provider is to do with it: `detail` and `oversized_image`."""
    form = FORMATS[provider]
    return [_text(form, part["text"]) if part["type"] == "text" else _IMAGES[provider](part) for part in parts]


def _rendered(form: ProviderFormat, message: ProviderMessage) -> Any:
    if message.content is message.raw.get(form.content):
        return message.raw
    return {**message.raw, form.content: message.content}


def _text(form: ProviderFormat, text: str) -> dict[str, Any]:
    return {"type": form.text, "text": text} if form.text else {"text": text}


def _anthropic(image: Fields) -> dict[str, Any]:
    source = {"type": "base64", "media_type": image["media_type"], "data": image["data"]}
    block: dict[str, Any] = {"type": "image", "source": source}
    if image.get("oversized_image") is not None:
        block["transformations"] = {"oversized_image": image["oversized_image"]}
    return block


def _openai(image: Fields) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": _url(image), "detail": image.get("detail")}}


def _openai_responses(image: Fields) -> dict[str, Any]:
    return {"type": "input_image", "image_url": _url(image), "detail": image.get("detail")}


def _gemini(image: Fields) -> dict[str, Any]:
    return {"inline_data": {"mime_type": image["media_type"], "data": image["data"]}}


def _url(image: Fields) -> str:
    return f"data:{image['media_type']};base64,{image['data']}"


_IMAGES: Mapping[Wire, Callable[[Fields], dict[str, Any]]] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "openai-responses": _openai_responses,
    "gemini": _gemini,
}
