"""Shared parts of the APIs of OpenAI: authentication, images, and the prompt cache."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .cache import Bill, PromptBlock
from .problems import RefusedRequest
from .signatures import chain
from .state import Json, UpstreamState
from .tokens import compact, image_data, read_image

LEAST_CACHED = 1024
#: Breakpoints that a request writes.
_MOST_WRITTEN = 4
_UNSEEN = ("prompt_cache_breakpoint",)


def check_key(headers: Mapping[str, str]) -> None:
    """Raises `RefusedRequest` for a request without an API key."""
    if not headers.get("authorization", "").removeprefix("Bearer").strip():
        raise RefusedRequest(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY).",
            401,
        )


def check_breakpoints(state: UpstreamState, messages: object) -> None:
    """Raises `RefusedRequest` for an explicit breakpoint where these are not taken."""
    if not state.limits.breakpoints and "prompt_cache_breakpoint" in compact(messages):
        raise RefusedRequest("Unknown parameter: 'prompt_cache_breakpoint'.", code="unknown_parameter")


def check_images(state: UpstreamState, images: Sequence[tuple[str, Json]]) -> None:
    """Raises `RefusedRequest` for images that OpenAI refuses. `images`: (path, part)."""
    if len(images) > state.limits.openai_images:
        raise RefusedRequest(
            f"Too many images in request: {len(images)} > {state.limits.openai_images}.", code="too_many_images"
        )
    for path, part in images:
        url = part.get("image_url")
        url = url.get("url") if isinstance(url, dict) else url
        if isinstance(url, str) and not url.startswith(("data:", "http://", "https://")):
            raise RefusedRequest(f"Invalid '{path}'. Expected a valid URL.", param=path, code="invalid_value")
        data = image_data(part)
        if data is None:
            continue
        try:
            image = read_image(data)
        except ValueError as error:
            code = "invalid_base64" if "base64" in str(error) else "invalid_image"
            message = "The image data you provided does not represent a valid image."
            raise RefusedRequest(message, param=path, code=code) from error
        if image.size > state.limits.openai_image_bytes:
            message = f"The image is {image.size} bytes; the most is {state.limits.openai_image_bytes}."
            raise RefusedRequest(message, param=path, code="image_too_large")
        if image.media_type not in ("image/png", "image/jpeg", "image/gif", "image/webp"):
            message = (
                "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
                "['png', 'jpeg', 'gif', 'webp']."
            )
            raise RefusedRequest(message, param=path, code="invalid_image_format")


def bill_of(state: UpstreamState, value: Json, blocks: Sequence[tuple[str, Any]]) -> Bill:
    """Returns the bill of a prompt, and writes the prompt cache. `blocks`: (role, block) in the order of the prompt.

    The implicit breakpoint is the end of the prompt. Explicit ones are `prompt_cache_breakpoint` of content parts.
    """
    counter = state.counter(str(value["model"]), "openai")
    options = value.get("prompt_cache_options") or {}
    implicit = options.get("mode", "implicit") == "implicit"
    ttl = str(options.get("ttl", "30m"))
    prefix = ""
    segments: list[PromptBlock] = []
    explicit: list[int] = []
    for role, block in _parts(blocks):
        prefix = chain(prefix, role, _unmarked(block))
        if "prompt_cache_breakpoint" in compact(block):
            explicit.append(len(segments))
        segments.append(PromptBlock(prefix, counter.block(_unmarked(block))))
    marked = set(explicit[-(_MOST_WRITTEN - 1 if implicit else _MOST_WRITTEN) :])
    if implicit and segments:
        marked.add(len(segments) - 1)
    # every earlier end of a prompt may be a breakpoint of its own: without a limit of blocks, all are looked up
    segments = [
        PromptBlock(segment.prefix, segment.tokens, ttl if place in marked else None)
        for place, segment in enumerate(segments)
    ]
    key = f"{value['model']} {value.get('prompt_cache_key') or ''}"
    return state.cache.bill(key, segments, least=LEAST_CACHED, lookback=None, long="12h", long_price=1.25)


def _parts(blocks: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The blocks, messages of several parts divided: each part may bear a breakpoint."""
    for role, block in blocks:
        content = block.get("content") if isinstance(block, dict) else None
        if not isinstance(content, list) or len(content) < 2:
            yield role, block
            continue
        yield role, {**block, "content": content[:1]}
        yield from ((role, part) for part in content[1:])


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(inner) for key, inner in value.items() if key not in _UNSEEN}
    return [_unmarked(each) for each in value] if isinstance(value, list) else value
