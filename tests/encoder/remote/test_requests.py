"""Request bodies."""

import base64
from typing import Any

import pytest

from foxing.encoder.remote.options import PROMPTS, RemoteOptions, Server
from foxing.encoder.remote.requests import NGRAM, chat_request


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
