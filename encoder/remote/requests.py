"""Request bodies of the supported servers."""

import base64
from collections.abc import Mapping
from typing import Any

from .options import PROMPTS, RemoteOptions, Server

#: Arguments of DeepSeek-OCR's logits processor in vLLM and SGLang: no n-gram of this size repeats within the window;
#: the tokens of table cells are exempt.
NGRAM = {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": [128821, 128822]}

_EXTRAS: Mapping[Server, Mapping[str, Any]] = {
    "openai": {},
    "vllm": {"skip_special_tokens": False, "vllm_xargs": NGRAM},
    "sglang": {"skip_special_tokens": False, "custom_params": NGRAM},
}


def chat_request(options: RemoteOptions, png: bytes, max_tokens: int) -> dict[str, Any]:
    """Returns the body of a `POST /chat/completions` that asks for the text of a page: its image, then the prompt.
    `png`: a PNG file."""
    image = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    content = [
        {"type": "image_url", "image_url": {"url": image}},
        {"type": "text", "text": PROMPTS.get(options.prompt, options.prompt)},
    ]
    body: dict[str, Any] = {
        "model": options.model,
        "messages": [{"role": "user", "content": content}],
        "temperature": 0.0,
        "max_tokens": max_tokens,
        "logprobs": True,
        "stream": False,
    }
    return merged(body, _EXTRAS[options.server], options.extra)


def merged(body: Mapping[str, Any], *extras: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `body` with the fields of `extras` merged in; later ones take precedence. Fields that are None are
    removed."""
    result = dict(body)
    for extra in extras:
        result |= extra
    return {name: value for name, value in result.items() if value is not None}
