"""What passes: bytes in both directions, errors, and clients that go."""

import gzip
import json
import sqlite3
import threading
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from anthropic import Anthropic, APIStatusError, InternalServerError, RateLimitError
from openai import OpenAI
from support.raw_upstream import raw_upstream

from foxing.integrations.proxy.server import BackgroundProxy
from tests.upstream import Upstream

from .conftest import MODEL, StartProxy

HEADERS = {"x-api-key": "sk-ant-secret", "anthropic-version": "2023-06-01", "content-type": "application/json"}
#: With spaces, an escape and a number that no parser writes like this.
BODY = (
    b'{ "model": "%s",\n "max_tokens": 16, "temperature":1.0e0,\t"messages" : [ {'
    b'"content":"caf\\u00e9 \xf0\x9f\xa6\x8a", "role" : "user"} ] }' % MODEL.encode()
)


def post(proxy: BackgroundProxy, body: bytes = BODY, path: str = "/v1/messages", **headers: str) -> httpx.Response:
    return httpx.post(f"{proxy.url}{path}", content=body, headers={**HEADERS, **headers}, timeout=60)


def test_a_request_and_its_answer_pass_as_the_same_bytes(proxy: BackgroundProxy, upstream: Upstream) -> None:
    answer = post(
        proxy,
        path="/v1/messages?beta=true",
        **{"anthropic-beta": "unknown-2030-01-01", "x-other": "a  b"},
    )
    (call,) = upstream.calls
    assert call.body == BODY
    assert call.path == "/v1/messages?beta=true"
    assert call.headers["anthropic-beta"] == "unknown-2030-01-01"
    assert call.headers["x-api-key"] == "sk-ant-secret"
    assert "x-other" in call.headers
    assert not [name for name in call.headers if name.startswith("x-foxing")]
    assert answer.content == call.sent
    assert answer.headers["request-id"]
    assert answer.headers["x-foxing-folded"] == "no"


@pytest.mark.parametrize("wire", ["messages", "chat", "responses"])
def test_streams_pass_as_the_same_bytes(proxy: BackgroundProxy, upstream: Upstream, wire: str) -> None:
    upstream.answer("It is raining in Oslo, and will go on raining.")
    path, body = {
        "messages": ("/v1/messages", {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}),
        "chat": ("/v1/chat/completions", {"model": "gpt-5.6", "messages": [{"role": "user", "content": "?"}]}),
        "responses": ("/v1/responses", {"model": "gpt-5.6", "input": "?"}),
    }[wire]
    answer = post(proxy, json.dumps({**body, "stream": True}).encode(), path, authorization="Bearer sk-secret")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == upstream.calls[0].sent
    assert b"raining" in answer.content


def test_events_arrive_as_they_come(proxy: BackgroundProxy, upstream: Upstream) -> None:
    hold = threading.Event()
    upstream.answer("It is raining in Oslo.", hold=hold, hold_before_event=4)
    body = json.dumps({**json.loads(BODY), "stream": True}).encode()
    with httpx.stream("POST", f"{proxy.url}/v1/messages", content=body, headers=HEADERS, timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: message_start"
        hold.set()
        assert "event: message_stop" in list(lines)


def test_all_but_the_end_of_a_stream_passes_before_its_turn_is_kept(
    start: StartProxy, upstream: Upstream, tmp_path: Path
) -> None:
    body = json.dumps({**json.loads(BODY), "stream": True}).encode()
    whole = httpx.post(f"{upstream.url}/v1/messages", content=body, headers=HEADERS).content
    end = whole.index(b"event: message_stop")
    with raw_upstream(lambda: [whole]) as raw, httpx.Client(timeout=60) as http:
        proxy = start(upstream=raw.url)
        http.post(f"{proxy.url}/v1/messages", content=body, headers=HEADERS)
        with closing(sqlite3.connect(tmp_path / "proxy.db")) as journal:
            journal.execute("BEGIN IMMEDIATE")  # nothing can be kept
            with http.stream("POST", f"{proxy.url}/v1/messages", content=body, headers=HEADERS) as answer:
                pieces = answer.iter_raw()
                assert next(pieces) == whole[:end]
                journal.execute("ROLLBACK")
                assert b"".join(pieces) == whole[end:]


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_compressed_bodies_pass(proxy: BackgroundProxy, upstream: Upstream, coding: str) -> None:
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress, "deflate": zlib.compress}[coding](BODY)
    assert post(proxy, packed, **{"content-encoding": coding}).status_code == 200
    assert upstream.calls[0].body == packed


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_invalid_compression_is_refused_by_the_provider(proxy: BackgroundProxy, coding: str) -> None:
    answer = post(proxy, b"nonsense", **{"content-encoding": coding})
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'{"messages": 3}', b"\xff", b'{"a":' * 5000, b'{"messages":[[]]}']
)
def test_what_is_not_a_request_is_refused_by_the_provider(
    proxy: BackgroundProxy, upstream: Upstream, body: bytes
) -> None:
    answer = post(proxy, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.exchanges[-1].body == body


def test_other_paths_pass(proxy: BackgroundProxy, upstream: Upstream) -> None:
    models = httpx.get(f"{proxy.url}/v1/models?limit=2", headers=HEADERS)
    assert models.json()["data"][0]["id"] == "claude-fable-5-1"
    assert upstream.exchanges[-1].path == "/v1/models?limit=2"
    pieces = iter([b"one", b"two"])
    unknown = httpx.post(f"{proxy.url}/v1/files%2Fx", content=pieces, headers=HEADERS)
    assert unknown.status_code == 404
    assert upstream.exchanges[-1].path == "/v1/files%2Fx"
    assert upstream.exchanges[-1].body == b"onetwo"
    assert httpx.head(f"{proxy.url}/").status_code == 200


def test_the_v1_of_the_upstream_and_of_the_path_are_one(start: StartProxy, upstream: Upstream) -> None:
    proxy = start(upstream=upstream.openai_url)
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-secret", max_retries=0) as client:
        assert client.responses.create(model="gpt-5.6", input="?").output_text == "Understood."


def test_a_rate_limit_passes_with_its_time(claude: Anthropic, upstream: Upstream) -> None:
    upstream.fail(429, retry_after_s=17)
    with pytest.raises(RateLimitError) as refused:
        claude.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "?"}])
    assert refused.value.response.headers["retry-after"] == "17"


def test_html_becomes_an_error_of_the_provider(
    proxy: BackgroundProxy, claude: Anthropic, gpt: OpenAI, upstream: Upstream
) -> None:
    upstream.send_html(502)
    with pytest.raises(InternalServerError, match="text/html") as refused:
        claude.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "?"}])
    assert refused.value.body["error"]["type"] == "api_error"  # type: ignore[index,call-overload]
    upstream.send_html(200)
    answer = post(proxy, b'{"model":"gpt-5.6","input":"?"}', "/v1/responses", authorization="Bearer sk")
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "server_error"


def test_an_upstream_that_is_down_or_breaks_off_is_an_error_of_the_provider(
    start: StartProxy, proxy: BackgroundProxy, upstream: Upstream
) -> None:
    upstream.drop()
    dropped = post(proxy)
    assert dropped.status_code == 502
    assert dropped.json()["error"]["type"] == "api_error"
    upstream.answer("It is raining in Oslo.", cut_after_events=1)
    half = post(proxy)
    assert half.status_code == 502
    assert "broke off" in half.json()["error"]["message"]
    down = post(start(upstream="http://127.0.0.1:9"), path="/v1/chat/completions")
    assert down.status_code == 502
    assert "cannot be reached" in down.json()["error"]["message"]
    assert "sk-ant-secret" not in down.text


@pytest.mark.parametrize("wire", ["messages", "chat", "responses"])
def test_half_a_stream_ends_with_an_error_of_the_provider(
    claude: Anthropic, gpt: OpenAI, upstream: Upstream, wire: str
) -> None:
    upstream.answer("It is raining in Oslo.", cut_after_events=4)
    stream: Any
    if wire == "messages":
        stream = claude.messages.create(
            model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "?"}], stream=True
        )
        with pytest.raises(APIStatusError, match="broke off"):
            list(stream)
    elif wire == "chat":
        import openai

        stream = gpt.chat.completions.create(model="gpt-5.6", messages=[{"role": "user", "content": "?"}], stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            list(stream)
    else:
        stream = gpt.responses.create(model="gpt-5.6", input="?", stream=True)
        assert any(event.type == "error" and "broke off" in event.message for event in stream)


def test_a_body_that_is_too_large_is_refused_in_the_shape_of_the_provider(
    start: StartProxy, upstream: Upstream
) -> None:
    proxy = start(max_body_bytes=1_000_000)
    large = b'{"messages":[{"role":"user","content":"' + b"a" * 2_000_000 + b'"}]}'
    answer = post(proxy, large)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"
    other = post(proxy, large, "/v1/responses")
    assert other.status_code == 413
    assert other.json()["error"]["type"] == "invalid_request_error"
    assert not upstream.exchanges
    assert post(proxy).status_code == 200


@pytest.mark.slow
def test_a_body_of_100_mb_is_refused(proxy: BackgroundProxy, upstream: Upstream) -> None:
    answer = post(proxy, b'{"messages":[{"role":"user","content":"' + b"a" * (100 << 20) + b'"}]}')
    assert answer.status_code == 413
    assert not upstream.exchanges


def test_a_client_that_hangs_up_ends_the_request_upstream(proxy: BackgroundProxy, upstream: Upstream) -> None:
    hold = threading.Event()
    upstream.answer("It is raining in Oslo.", hold=hold, hold_before_event=4)
    body = json.dumps({**json.loads(BODY), "stream": True}).encode()
    with httpx.stream("POST", f"{proxy.url}/v1/messages", content=body, headers=HEADERS, timeout=60) as answer:
        assert next(answer.iter_lines()) == "event: message_start"
    hold.set()
    assert post(proxy).status_code == 200


def test_a_proxy_with_a_key_requires_it(start: StartProxy, upstream: Upstream) -> None:
    proxy = start(key="fox")
    refused = post(proxy)
    assert refused.status_code == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    assert httpx.get(f"{proxy.url}/foxing/status").status_code == 401
    assert not upstream.exchanges
    assert post(proxy, **{"x-foxing-key": "fox"}).status_code == 200
    assert "x-foxing-key" not in upstream.exchanges[0].headers
