"""Failures of a server that decodes stored tokens of DeepSeek-OCR. Both sides have the same random
weights."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.prompt_embeds_server import KEY, MODEL, Server

from foxing.encoder import (
    CodecError,
    DownscalableCodec,
    ReadFailed,
    RemoteCodec,
    TokensError,
    VisionTokens,
)
from foxing.encoder.remote.endpoint import CLOSED
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.model import PageFeatures
from foxing.encoder.vision.remote_decoding import RemoteVisionCodec

OpenRemote = Callable[..., RemoteVisionCodec]


@pytest.mark.slow
def test_failed_and_stalled_requests_are_retried(
    local_codec: VisionCodec,
    open_remote: OpenRemote,
    server: Server,
    tokens: list[VisionTokens],
    pauses: list[float],
) -> None:
    server.fault = lambda attempt: ("500", "stall", "503", "")[min(attempt, 3)]
    codec = open_remote(timeout_s=3.0, concurrency=6)
    readings = codec.decode_each(tokens[4:])
    for reading, other in zip(readings, local_codec.decode(tokens[4:]), strict=True):
        assert not isinstance(reading, CodecError), reading
        assert (reading.cells == other.cells).all()
    assert set(server.attempts.values()) == {4}
    assert (codec.usage.failures, codec.usage.pages) == (3 * len(readings), len(readings))
    assert len(pauses) == 3 * len(readings)


@pytest.mark.slow
def test_a_failed_page_does_not_fail_the_others(
    local_codec: VisionCodec, open_remote: OpenRemote, server: Server, tokens: list[VisionTokens]
) -> None:
    codec = open_remote(retries=0, concurrency=1)
    assert isinstance(codec, RemoteCodec)
    assert not isinstance(codec, DownscalableCodec), "vision tokens cannot be downscaled"
    assert not isinstance(local_codec, RemoteCodec)
    faults = iter(["", "500", ""])
    server.fault = lambda attempt: next(faults)
    foreign = replace(tokens[4], weights="0123456789ab")
    first, failed, rejected, last = codec.decode_each([tokens[4], tokens[5], foreign, tokens[2]])
    assert isinstance(failed, ReadFailed)
    assert "500: EngineCore died" in str(failed)
    assert isinstance(rejected, TokensError)
    for reading, item in ((first, tokens[4]), (last, tokens[2])):
        assert not isinstance(reading, CodecError)
        assert (reading.cells == local_codec.decode([item])[0].cells).all()
    assert (codec.usage.pages, codec.usage.pages_failed) == (2, 1)


@pytest.mark.slow
def test_a_server_that_does_not_accept_embeddings_is_reported(
    open_remote: OpenRemote, server: Server, tokens: list[VisionTokens]
) -> None:
    server.accepts_embeddings = False
    with pytest.raises(
        ReadFailed, match=r"400: You must set .*start vLLM with --enable-prompt-embeds .*remove the option 'remote'"
    ):
        open_remote().decode(tokens[:1])
    assert len(server.bodies) == 1, "a retry cannot help"
    server.accepts_embeddings = True
    usage = {"prompt_tokens": 1, "completion_tokens": 4}
    server.answer = lambda document: {**document, "usage": usage}
    with pytest.raises(ReadFailed, match=r"read a prompt of 1 tokens instead of 2\d\d embeddings"):
        open_remote().decode(tokens[:1])
    with pytest.raises(ReadFailed, match="the option 'api_key'"):
        open_remote(api_key="another").decode(tokens[:1])
    server.answer = lambda document: {"choices": [{"message": {"content": "a chat"}}]}
    with pytest.raises(ReadFailed, match="no completion"):
        open_remote(retries=0).decode(tokens[:1])


def replace_choice(**fields: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A server's `answer` with other fields in its choice."""
    return lambda document: {**document, "choices": [{**document["choices"][0], **fields}]}


@pytest.mark.parametrize(
    ("fields", "attempts", "message"),
    [
        ({"text": None, "logprobs": None, "finish_reason": None}, 2, "returned no text"),
        ({"text": " \n", "logprobs": None, "finish_reason": "length"}, 2, "returned no text"),
        ({"text": " \n", "logprobs": None, "finish_reason": "stop"}, 1, "returned no text"),
        ({"text": "half", "finish_reason": "content_filter"}, 2, "content filter"),
        ({"text": "half", "finish_reason": "error"}, 4, "generation failed"),
        ({"text": "half", "finish_reason": "abort"}, 4, "generation failed: abort"),
    ],
)
def test_unusable_answers_fail_the_page(
    open_remote: OpenRemote,
    server: Server,
    tokens: list[VisionTokens],
    fields: dict[str, Any],
    attempts: int,
    message: str,
) -> None:
    server.answer = replace_choice(**fields)
    (failed,) = open_remote(retries=3).decode_each(tokens[4:5])
    assert isinstance(failed, ReadFailed)
    assert message in str(failed)
    assert len(server.bodies) == attempts


def test_an_empty_text_is_not_a_reading(
    local_codec: VisionCodec, open_remote: OpenRemote, server: Server, tokens: list[VisionTokens]
) -> None:
    name = server.name(min(local_codec.model.eos_token_ids))
    logprobs = {"tokens": [name], "token_logprobs": [-0.1], "top_logprobs": [{name: -0.1}]}
    server.answer = replace_choice(text="", logprobs=logprobs)
    codec = open_remote()
    (failed,) = codec.decode_each(tokens[4:5])
    assert isinstance(failed, ReadFailed)
    assert f"{server.url} returned no text" in str(failed)
    assert (codec.usage.pages, codec.usage.pages_failed) == (0, 1)


def test_unexpected_errors_and_lack_of_memory_fail_one_page(
    local_codec: VisionCodec, open_remote: OpenRemote, tokens: list[VisionTokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = open_remote(api_key=KEY)
    original = local_codec.model.prompt_embeddings
    faults: list[Exception | None] = [RuntimeError(f"odd {KEY}"), torch.OutOfMemoryError("no"), None]

    def embeddings(page: PageFeatures) -> torch.Tensor:
        fault = faults[[item.tier for item in tokens[::2]].index(page.tier)]
        if fault is not None:
            raise fault
        return original(page)

    monkeypatch.setattr(local_codec.model, "prompt_embeddings", embeddings)
    unexpected, out_of_memory, fine = codec.decode_each(tokens[::2])
    assert isinstance(unexpected, ReadFailed)
    assert str(unexpected) == "the page could not be read: RuntimeError: odd [hidden]; report this"
    assert isinstance(out_of_memory, ReadFailed)
    assert "not enough memory for a single page" in str(out_of_memory)
    assert not isinstance(fine, CodecError)
    assert (codec.usage.pages, codec.usage.pages_failed) == (1, 2)


def test_credentials_in_the_url_are_not_shown(
    open_remote: OpenRemote, server: Server, tokens: list[VisionTokens]
) -> None:
    url = server.url.replace("://", "://ana:open-sesame@") + "/completions?sig=very-secret"
    codec = open_remote(url=url, api_key=None, retries=0)
    assert codec.runs_on()["decoded by"] == f"{MODEL} at {server.url}"
    server.answer = lambda document: {"error": {"message": f"no {url}", "code": 400}}
    failures = [*codec.decode_each(tokens[4:5]), *open_remote(url=url, retries=0).decode_each(tokens[4:5])]
    for failure in failures:
        assert isinstance(failure, ReadFailed)
        assert "open-sesame" not in str(failure)
        assert "very-secret" not in str(failure)


def test_close_cancels_requests_and_a_new_request_reopens(
    local_codec: VisionCodec, open_remote: OpenRemote, server: Server, tokens: list[VisionTokens]
) -> None:
    codec = open_remote(concurrency=1)
    server.fault = lambda attempt: "" if attempt else "stall"
    stalled = threading.Event()
    server.on_stall = stalled.set
    results: list[Any] = []
    caller = threading.Thread(target=lambda: results.extend(codec.decode_each(tokens[4:])))
    caller.start()
    assert stalled.wait(60)
    codec.close()
    caller.join(60)
    assert not caller.is_alive()
    assert [str(result) for result in results] == [CLOSED, CLOSED]
    (reading,) = codec.decode_each(tokens[4:5])
    assert not isinstance(reading, CodecError)
