"""Requests to read an image, and their responses, for OpenAI- and Anthropic-compatible endpoints."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from foxing.encoder.remote.endpoint import Call
from foxing.encoder.remote.responses import InvalidCompletion, token_count

Api = Literal["openai", "anthropic"]
ANTHROPIC_VERSION = "2023-06-01"
PROMPT = (
    "Transcribe this page exactly, in reading order. Add, correct, complete and leave out nothing; letters and digits "
    "that mean nothing count as much as words. Write ▒ in place of a character that you cannot read. Answer with the "
    "text alone."
)
_ADVICE = "check that the model accepts images, and remove or add fields with the option 'extra'"
#: Finish reasons of an answer that is not a transcription.
_REFUSED = frozenset({"content_filter", "refusal", "error", "abort"})


@dataclass(frozen=True)
class ChatAnswer:
    """Answer of a model."""

    text: str
    #: 0 if the endpoint does not report it.
    prompt_tokens: int = 0
    completion_tokens: int = 0
    #: Whether the model or a filter refused.
    refused: bool = False


def request_body(api: Api, model: str, png: bytes, max_tokens: int) -> dict[str, Any]:
    """Returns the request body that asks for the text of an image. `png`: a PNG file."""
    data = base64.b64encode(png).decode()
    content: list[dict[str, Any]]
    if api == "anthropic":
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content = [{"type": "image", "source": source}, {"type": "text", "text": PROMPT}]
    else:
        url = {"url": f"data:image/png;base64,{data}", "detail": "high"}
        content = [{"type": "image_url", "image_url": url}, {"type": "text", "text": PROMPT}]
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": max_tokens}
    return body | {"temperature": 0.0}


def headers(api: Api, key: str | None) -> dict[str, str]:
    """Returns the authentication and version headers for an endpoint."""
    if api == "anthropic":
        return {"anthropic-version": ANTHROPIC_VERSION} | ({} if key is None else {"x-api-key": key})
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _openai(document: Any) -> ChatAnswer:
    """Parses a chat completion. Raises `InvalidCompletion`."""
    try:
        choice = document["choices"][0]
        message = choice["message"]
        usage = document.get("usage") or {}
        prompt, completion = (token_count(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        refused = bool(message.get("refusal")) or choice.get("finish_reason") in _REFUSED
        return ChatAnswer(_text(message.get("content")), prompt, completion, refused)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidCompletion("it has no choices with a message, or fields with invalid values") from error


def _anthropic(document: Any) -> ChatAnswer:
    """Parses a message of the Anthropic API. Raises `InvalidCompletion`."""
    try:
        usage = document.get("usage") or {}
        prompt, completion = (token_count(usage.get(name) or 0) for name in ("input_tokens", "output_tokens"))
        return ChatAnswer(_text(document["content"]), prompt, completion, document.get("stop_reason") in _REFUSED)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidCompletion("it has no content, or fields with invalid values") from error


def _text(content: Any) -> str:
    """Returns the text of a message, which is a string or a list of parts. Raises `TypeError`."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise TypeError("not a text")
    return "".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part)


_PARSERS: Mapping[Api, tuple[str, Callable[[Any], ChatAnswer]]] = MappingProxyType(
    {"openai": ("/chat/completions", _openai), "anthropic": ("/messages", _anthropic)}
)


def call_of(api: Api) -> Call[ChatAnswer]:
    """Returns the call for a request made by `request_body`."""
    path, parse = _PARSERS[api]
    return Call(path, parse, "chat completion" if api == "openai" else "message", _ADVICE)
