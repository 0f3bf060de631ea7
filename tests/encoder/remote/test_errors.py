"""Error messages for rejected, invalid and empty responses, which never hold a secret."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from support.endpoint_server import (
    EMPTY_ANSWERS,
    KEY,
    MODEL,
    Handler,
    LoadCodec,
    Model,
    NativeModel,
    Pauses,
    Server,
    completion,
    pages_of,
    tokens_of,
)

from foxing.encoder import CodecError, ReadFailed, load_codec
from foxing.encoder.conformance import sample_page
from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.options import RemoteOptions


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"path": ""}, "HTML page|404"),
        ({"path": "/nowhere"}, "404.*'url'"),
        ({"model": "other-model"}, f"does not exist.*'model'.*it serves {MODEL}"),
        ({"api_key": "wrong"}, "401: Incorrect API key provided; check the option 'api_key'"),
        ({"extra": {"stream": True}}, "400: logprobs or stream is invalid.*'extra'"),
    ],
)
def test_a_misconfigured_request_fails_without_retries(
    server: Server, load: LoadCodec, pauses: Pauses, changed: dict[str, Any], message: str
) -> None:
    server.key = KEY
    url = server.url.replace("/v1", changed.pop("path", "/v1"))
    codec = load(url, **{"api_key": KEY, **changed})
    with pytest.raises(ReadFailed, match=message) as caught:
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert KEY not in str(caught.value)
    assert pauses == []


def test_a_response_that_is_not_a_completion_is_retried(load: LoadCodec, served: Callable[[Model], Server]) -> None:
    server = served(NativeModel())
    server.answer = lambda answer: {"html": 1}
    codec = load(server.url, retries=1)
    with pytest.raises(ReadFailed, match=r"no chat completion.*tried 2 times"):
        codec.decode(tokens_of(codec, pages_of(codec, 1)))


def test_an_unreachable_server_is_named(load: LoadCodec, pauses: Pauses) -> None:
    codec = load("http://127.0.0.1:9/v1", retries=2)
    with pytest.raises(ReadFailed, match=r"cannot connect to http://127.0.0.1:9/v1 .*start the server"):
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert len(pauses) == 2


def test_missing_options_are_named() -> None:
    with pytest.raises(CodecError, match="the codec 'remote' needs the option 'url'"):
        load_codec("remote")
    with pytest.raises(CodecError, match="the codec 'remote' needs the option 'model'") as caught:
        load_codec("remote", options={"url": "http://127.0.0.1:9/v1"})
    assert caught.value.settings == ("codecs.remote.model",)
    with pytest.raises(CodecError, match="http://"):
        load_codec("remote", options=RemoteOptions(url="127.0.0.1:9", model=MODEL))
    assert KEY not in repr(RemoteOptions(url="http://127.0.0.1:9/v1", model=MODEL, api_key=KEY))


QUOTA = "exceeded token rate limit of your tier. Please go here: https://aka.ms/oai/quotaincrease to raise it."
FIELD = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
SECRETS = ("hunter2", "sk-SECRET-123", "q-SECRET-456")
BLIND = "No endpoints found that support image input"


@pytest.mark.parametrize(
    ("status", "error", "message", "attempts"),
    [
        (429, {"code": "429", "message": QUOTA}, r"429: exceeded token rate limit.*raise it\. \(tried 3 times\)", 3),
        (429, {"code": "insufficient_quota", "message": "Check your plan."}, "out of credit", 1),
        (429, {"type": "insufficient_quota", "message": "Check your plan."}, "out of credit", 1),
        (402, {"message": "Add credits."}, "402: Add credits.; .*out of credit", 1),
        (400, {"code": "unsupported_parameter", "message": FIELD}, "400: Unsupported.*'extra'", 1),
        (400, {"code": "model_not_found", "message": "No."}, f"No.; check the options 'model'.*it serves {MODEL}", 1),
        (400, {"message": "The model `m` does not exist."}, "check the options 'model'", 1),
        (200, {"code": 404, "message": BLIND}, f"200 with an error: {BLIND}; check the options 'model'", 1),
        (200, {"code": 502, "message": "Provider returned error"}, r"Provider returned error \(tried 3 times\)", 3),
        (200, {"code": "insufficient_quota", "message": "Check your plan."}, "out of credit", 1),
        (200, {"type": "invalid_request_error", "message": "bad field"}, "bad field; .*'extra'", 1),
        (200, "overloaded", r"200 with an error: overloaded \(tried 3 times\)", 3),
    ],
)
def test_an_error_response_is_judged_by_its_code_and_quoted(
    server: Server,
    load: LoadCodec,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    error: Any,
    message: str,
    attempts: int,
) -> None:
    def refuse(handler: Any, state: Server) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler._json(status, {"error": error})

    monkeypatch.setattr(Handler, "_post", refuse)
    codec = load(server.url, retries=2)
    with pytest.raises(ReadFailed, match=message) as caught:
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert codec.usage.requests == attempts
    assert ("'model'" in str(caught.value)) == ("'model'" in message)


def test_no_error_message_and_no_log_holds_a_secret(
    server: Server, load: LoadCodec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requests: list[tuple[str, str | None]] = []
    statuses = [400, 401, 404, 429, 500, 301, 200]

    def refuse(handler: Any, state: Server) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        requests.append((handler.path, handler.headers["Authorization"]))
        text = f"no {handler.headers['Authorization']} {' '.join(SECRETS)} http://bob:hunter2@host/v1"
        text += f" {'x' * 20} sk-SECRET-123" * 16  # cutting the message must not leave half a secret
        handler._json(statuses[0], {"error": {"message": text}, "choices": [{"message": {"refusal": text}}]})

    monkeypatch.setattr(Handler, "_post", refuse)
    address = server.url.replace("http://", "http://bob:hunter2@") + "?api-version=2024-02-01&api-key=q-SECRET-456"
    codec = load(address, api_key="sk-SECRET-123", retries=0)
    tokens = tokens_of(codec, pages_of(codec, 1))
    shown = [repr(codec.options), str(codec.runs_on())]
    caplog.set_level("INFO")
    while statuses:
        (error,) = codec.decode_each(tokens)
        assert isinstance(error, ReadFailed)
        assert server.url in str(error)
        shown.append(str(error))
        del statuses[0]
    with pytest.raises(CodecError) as caught:
        load("ftp://bob:hunter2@host?api-key=q-SECRET-456")
    shown.append(str(caught.value))
    assert "hunter2" not in caplog.text
    for text in shown:
        assert not any(secret[:6] in text for secret in SECRETS), text
        assert "bob" not in text
    assert codec.runs_on()["endpoint"] == server.url
    paths, keys = zip(*requests, strict=True)
    assert set(paths) == {"/v1/chat/completions?api-version=2024-02-01&api-key=q-SECRET-456"}
    assert set(keys) == {"Basic " + base64.b64encode(b"bob:hunter2").decode()}


@pytest.mark.parametrize(
    "url", ["http://bob:hun/ter2@host/v1", "http://", "http://bob:hunter2@:80", "http://h:hunter2"]
)
def test_an_invalid_address_is_not_repeated(url: str) -> None:
    with pytest.raises(CodecError, match="the option 'url' is not a valid address") as caught:
        EndpointCodec.load(RemoteOptions(url=url, model=MODEL))
    assert "hun" not in str(caught.value)


@pytest.mark.parametrize("message", EMPTY_ANSWERS)
def test_an_empty_answer_is_retried_once(server: Server, load: LoadCodec, pauses: Pauses, message: str) -> None:
    codec = load(server.url)
    token = tokens_of(codec, [sample_page(codec)])
    server.answer = lambda answer: EMPTY_ANSWERS[message]
    with pytest.raises(ReadFailed, match=rf"{server.url} .*{message}.*\(tried 2 times\)"):
        codec.decode(token)
    assert len(pauses) == 1
    assert (codec.usage.failures, codec.usage.pages_failed) == (2, 1)
    server.answer = lambda answer: (
        EMPTY_ANSWERS[message] if codec.usage.requests == 2 else completion("The battery test")
    )
    assert codec.decode(token)[0].text


@pytest.mark.parametrize("message", EMPTY_ANSWERS)
def test_what_the_server_billed_for_an_empty_answer_is_counted(server: Server, load: LoadCodec, message: str) -> None:
    codec = load(server.url, prompt_price=2.0, completion_price=10.0)
    usage = {"prompt_tokens": 900, "completion_tokens": 7}
    server.answer = lambda answer: {**EMPTY_ANSWERS[message], "usage": usage}
    with pytest.raises(ReadFailed):
        codec.decode(tokens_of(codec, [sample_page(codec)]))
    assert (codec.usage.requests, codec.usage.prompt_tokens, codec.usage.completion_tokens) == (2, 1800, 14)
    assert codec.usage.cost == pytest.approx((1800 * 2 + 14 * 10) / 1e6)


def test_positions_without_text_are_not_a_reading(server: Server, load: LoadCodec) -> None:
    codec = load(server.url)
    server.answer = lambda answer: completion("<|ref|><|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>")
    with pytest.raises(ReadFailed, match="positions but no text"):
        codec.decode(tokens_of(codec, [sample_page(codec)]))


def test_an_unexpected_error_fails_one_page_and_is_counted(
    server: Server, load: LoadCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = load(server.url)
    tokens = tokens_of(codec, pages_of(codec, 3))
    request = codec.endpoint.request

    async def break_down(call: Any, body: Any) -> Any:
        answer = await request(call, body)
        if "Note 1" in answer.text:
            raise ZeroDivisionError("a bug")
        return answer

    monkeypatch.setattr(codec.endpoint, "request", break_down)
    first, second, third = codec.decode_each(tokens)
    assert isinstance(second, ReadFailed)
    assert isinstance(second.__cause__, ZeroDivisionError)
    assert not isinstance(first, CodecError)
    assert not isinstance(third, CodecError)
    assert (codec.usage.pages, codec.usage.pages_failed) == (2, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 1e999}}',
        b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": ' + b"9" * 4000 + b"}}",
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_hostile_json_fails_the_page(
    server: Server, load: LoadCodec, monkeypatch: pytest.MonkeyPatch, content: bytes, status: int
) -> None:
    monkeypatch.setattr(Handler, "_json", lambda self, *_: self._send(status, "application/json", content))
    codec = load(server.url, retries=1)
    with pytest.raises(ReadFailed, match=r"invalid JSON|no chat completion|answered 500.*\(tried 2 times\)"):
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert (codec.usage.failures, codec.usage.pages_failed) == (2, 1)
