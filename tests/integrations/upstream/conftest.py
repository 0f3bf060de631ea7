"""An upstream, and bare requests to it."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.upstream import Upstream

Json = dict[str, Any]
#: (path, body, headers) → response.
Post = Callable[..., httpx.Response]

MODEL = "claude-fable-5-1"
OLDER = "claude-opus-4-6"
HEADERS = {"x-api-key": "key", "anthropic-version": "2023-06-01", "authorization": "Bearer key"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def post(upstream: Upstream) -> Iterator[Post]:
    with httpx.Client(base_url=upstream.url, headers=HEADERS, timeout=60) as client:

        def send(path: str, body: Json, **headers: str) -> httpx.Response:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.post(path, json=body, headers=given)

        yield send


@pytest.fixture
def ask(post: Post) -> Callable[..., Json]:
    """Calls `/v1/messages` with members of a body and returns the response, which may be an error."""

    def send(*messages: Json, betas: str = "", **members: Any) -> Json:
        body = {"model": MODEL, "max_tokens": 1000, "messages": list(messages), **members}
        response: Json = post("/v1/messages", body, **({"anthropic_beta": betas} if betas else {})).json()
        return response

    return send


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Json:
    return {"role": "assistant", "content": content}


def result(call: Json, content: str = "done", **members: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call["id"], "content": content, **members}


def text(words: str, **members: Any) -> Json:
    return {"type": "text", "text": words, **members}


def error_of(response: Json) -> str:
    """The message of an error in either shape."""
    return str(response["error"]["message"])
