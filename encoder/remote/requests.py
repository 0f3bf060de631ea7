"""Request bodies of the supported servers."""

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from foxing.encoder.errors import CodecError

from .options import PROMPTS, RemoteOptions, Server

if TYPE_CHECKING:
    from torch import Tensor

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


def prompt_embeds_request(
    model: str,
    embeddings: "Tensor",
    max_tokens: int,
    repeats: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns the body of a `POST /completions` to vLLM with the prompt as embeddings.

    `embeddings`: float32, float16 or bfloat16 [length, hidden], the complete decoder input: embeddings of special
    tokens and words, and stored vision tokens at the positions of the image. No chat template is applied. `repeats`:
    arguments of DeepSeek-OCR's logits processor, if the server runs it; `extra`: fields to merge into the request. The
    response names tokens by their ids. The server must run with `--enable-prompt-embeds`; it unpickles the embeddings,
    so it must trust its clients. Raises `CodecError` for a tensor that the server would reject.
    """
    import torch

    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise CodecError(f"prompt embeddings must have the shape [length, hidden], not {tuple(embeddings.shape)}")
    if embeddings.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise CodecError(f"prompt embeddings must be float32, float16 or bfloat16, not {embeddings.dtype}")
    buffer = BytesIO()
    torch.save(embeddings.detach().cpu().clone(), buffer)  # a view would be saved with its whole storage
    body: dict[str, Any] = {
        "model": model,
        "prompt": "",  # the field is required
        "prompt_embeds": base64.b64encode(buffer.getvalue()).decode(),
        "temperature": 0.0,
        "max_tokens": max_tokens,
        "logprobs": 1,
        "return_tokens_as_token_ids": True,
        "skip_special_tokens": False,
        "stream": False,
        "vllm_xargs": dict(repeats),
    }
    return merged(body, extra or {})


def merged(body: Mapping[str, Any], *extras: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `body` with the fields of `extras` merged in; later ones take precedence. Fields that are None are
    removed."""
    result = dict(body)
    for extra in extras:
        result |= extra
    return {name: value for name, value in result.items() if value is not None}
