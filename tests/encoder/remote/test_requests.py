"""Request bodies."""

import base64
from io import BytesIO
from typing import Any

import pytest
import torch

from foxing.encoder import CodecError, RemoteOptions
from foxing.encoder.remote.options import PROMPTS, Server
from foxing.encoder.remote.requests import NGRAM, chat_request, prompt_embeds_request


@pytest.mark.parametrize(
    ("server", "extras"),
    [
        ("openai", {}),
        ("vllm", {"skip_special_tokens": False, "vllm_xargs": NGRAM}),
        ("sglang", {"skip_special_tokens": False, "custom_params": NGRAM}),
    ],
)
def test_chat_request_is_as_the_server_documents(server: Server, extras: dict[str, Any]) -> None:
    options = RemoteOptions(url="http://x/v1", model="ocr", server=server, prompt="free-ocr")
    body = chat_request(options, b"PNG", 300)
    url = "data:image/png;base64," + base64.b64encode(b"PNG").decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Free OCR."}]
    assert body == {
        "model": "ocr",
        "messages": [{"role": "user", "content": content}],
        "temperature": 0.0,
        "max_tokens": 300,
        "logprobs": True,
        "stream": False,
        **extras,
    }


def test_extra_adds_and_removes_fields() -> None:
    extra = {"logprobs": None, "max_tokens": None, "max_completion_tokens": 9000}
    body = chat_request(RemoteOptions(url="http://x", model="m", prompt="Read it.", extra=extra), b"", 1)
    assert "logprobs" not in body
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 9000
    assert body["messages"][0]["content"][1]["text"] == "Read it."
    assert "transcribe" in PROMPTS


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_prompt_embeddings_are_sent_exactly_and_without_the_rest_of_their_storage(dtype: torch.dtype) -> None:
    storage = torch.randn(4096, 1280).to(dtype)
    prompt = storage[7:18]
    repeats = {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": [7]}
    body = prompt_embeds_request("deepseek-ai/DeepSeek-OCR", prompt, 512, repeats, {"seed": 1})
    blob = base64.b64decode(body["prompt_embeds"], validate=True)
    read = torch.load(BytesIO(blob), weights_only=True)
    assert read.dtype == dtype
    assert read.shape == (11, 1280)
    assert torch.equal(read, prompt)
    assert len(blob) < prompt.numel() * prompt.element_size() + 4096
    assert {name: body[name] for name in ("model", "prompt", "max_tokens", "temperature", "logprobs", "seed")} == {
        "model": "deepseek-ai/DeepSeek-OCR",
        "prompt": "",
        "max_tokens": 512,
        "temperature": 0.0,
        "logprobs": 1,
        "seed": 1,
    }
    assert body["vllm_xargs"] == repeats


@pytest.mark.parametrize(
    "tensor", [torch.zeros(2, 3, 4), torch.zeros(5), torch.zeros(0, 1280), torch.zeros(3, 4, dtype=torch.int64)]
)
def test_invalid_prompt_embeddings_are_rejected(tensor: torch.Tensor) -> None:
    with pytest.raises(CodecError, match="prompt embeddings"):
        prompt_embeds_request("m", tensor, 10, {})
