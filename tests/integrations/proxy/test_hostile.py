"""Clients and upstreams that would stop the proxy for others: what they send is read once and within limits."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import zstandard
from support.raw_upstream import raw_upstream

from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import Memory
from foxing.memory.conversation import Wire, event_streams
from foxing.memory.conversation.event_streams import AnswerReader
from tests.upstream import Upstream

from .conftest import BANK, MODEL, StartProxy
from .test_passing import BODY, HEADERS, post

#: Thread of the event loop.
LOOP = "foxing proxy"
QUESTION = {"role": "user", "content": "?"}
REQUESTS: dict[Wire, tuple[str, dict[str, Any]]] = {
    "anthropic": ("/v1/messages", {"model": MODEL, "max_tokens": 9, "messages": [QUESTION]}),
    "openai": ("/v1/chat/completions", {"model": "gpt-5.6", "messages": [QUESTION]}),
    "openai-responses": ("/v1/responses", {"model": "gpt-5.6", "input": "?"}),
}
ENDS = "message_stop [DONE] response.completed response.incomplete "


@pytest.mark.parametrize("wire", REQUESTS)
def test_a_stream_whose_text_names_its_end_is_parsed_once(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    parsed: list[int] = []

    class Counting:
        def loads(self, content: bytes | str) -> Any:
            parsed.append(len(content))
            return json.loads(content)

    monkeypatch.setattr(event_streams, "json", Counting())
    said = (ENDS * 200).strip()
    upstream.answer(said)
    path, body = REQUESTS[wire]
    answer = post(proxy, json.dumps({**body, "stream": True}).encode(), path, authorization="Bearer sk-secret")
    assert answer.content == upstream.calls[0].sent
    assert sum(parsed) <= len(answer.content)
    proxy.close()
    assert [each.text for each in memory.export(BANK)] == ["?", said]


def events(wire: Wire) -> Iterator[bytes]:
    """Events of an answer that does not end."""
    if wire == "anthropic":
        yield b'data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant"}}\n\n'
        yield b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    text = "a" * 100_000
    while True:
        if wire == "anthropic":
            delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        elif wire == "openai":
            delta = {"choices": [{"index": 0, "delta": {"content": text}}]}
        else:
            delta = {"type": "response.output_text.delta", "delta": text}
        yield b"data: " + json.dumps(delta).encode() + b"\n\n"


def test_an_answer_that_never_ends_is_kept_up_to_a_limit() -> None:
    for wire in ("anthropic", "openai"):
        reader = AnswerReader(wire)
        fed = 0
        for event in events(wire):
            fed += len(event)
            reader.feed(event)
            if reader.is_done or fed > 100_000_000:
                break
        assert fed < 40_000_000
        assert reader.answer() is None
    reader = AnswerReader("openai-responses")
    for _ in range(600):
        reader.feed(b"data: " + b"a" * 100_000 if not reader.waiting_bytes else b"a" * 100_000)  # one event
        assert reader.waiting_bytes < 34_000_000
    assert reader.is_done


def test_the_bytes_of_a_stream_may_come_one_by_one() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        content = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'.replace(b"\n", end)
        reader = AnswerReader("openai")
        for at in range(len(content)):
            assert not reader.is_complete or at == len(content) - 1
            reader.feed(content[at : at + 1])
        reader.end()
        answer = reader.answer()
        assert answer is not None
        assert answer["choices"][0]["message"]["content"] == "Hi"


def test_a_large_answer_passes_before_it_has_ended(start: StartProxy) -> None:
    arrived = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b'{"type":"message","text":"'
        for _ in range(340):
            yield b"a" * 100_000
        arrived.wait(60)
        yield b'"}'

    with raw_upstream(pieces, "application/json") as raw:
        proxy = start(upstream=raw.url)
        request = httpx.stream("POST", f"{proxy.url}/v1/messages", content=BODY, headers=HEADERS, timeout=20)
        with request as answer:
            size = 0
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size >= 30_000_000:
                    arrived.set()
        assert size == 26 + 34_000_000 + 2


@pytest.mark.slow
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_compressed_stream_is_read_up_to_a_limit(start: StartProxy, memory: Memory, coding: str) -> None:
    pack: Callable[[bytes], bytes] = {"gzip": gzip.compress, "zstd": zstandard.compress}[coding]
    bomb = pack(b": \n" * (3 << 20))  # a line takes as long as a kilobyte
    with raw_upstream(lambda: [bomb], encoding=coding) as raw:
        proxy = start(upstream=raw.url)
        request = httpx.stream("POST", f"{proxy.url}/v1/messages", content=BODY, headers=HEADERS, timeout=60)
        with request as answer:
            assert b"".join(answer.iter_raw()) == bomb
        proxy.close()
    assert [each.text for each in memory.export(BANK)] == ["café 🦊"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_body_that_is_huge_once_it_is_decompressed_is_refused(
    start: StartProxy, upstream: Upstream, coding: str
) -> None:
    pack: Callable[[bytes], bytes] = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[
        coding
    ]
    proxy = start(max_body_bytes=1_000_000)
    bomb = pack(b'{"messages":[{"role":"user","content":"' + b"a" * 2_000_000 + b'"}]}')
    answer = post(proxy, bomb, **{"content-encoding": coding})
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"
    assert "decompressed" in answer.json()["error"]["message"]
    assert not upstream.exchanges
    assert post(proxy, pack(BODY), **{"content-encoding": coding}).status_code == 200


@pytest.mark.slow
def test_nothing_long_runs_on_the_event_loop(
    proxy: BackgroundProxy, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_loop: list[tuple[str, int]] = []

    def watch(owner: Any, name: str, size: Callable[..., int]) -> None:
        call = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            if threading.current_thread().name == LOOP:
                on_loop.append((name, size(*arguments)))
            return call(*arguments, **options)

        monkeypatch.setattr(owner, name, watched)

    from foxing.integrations.proxy import accounting, exchange, folding

    watch(json, "loads", len)
    watch(json.JSONDecoder, "raw_decode", lambda decoder, text, at=0: len(text) - at)
    watch(zlib, "decompressobj", lambda *_: 1 << 20)
    watch(zlib, "compressobj", lambda *_: 1 << 20)
    watch(exchange, "session_of", lambda sent, _: len(str(sent.messages)))
    watch(folding, "make_conversation", lambda *_: 1 << 20)
    watch(folding.Folding, "_apply", lambda *_: 1 << 20)
    watch(accounting, "_estimated", lambda *_: 1 << 20)
    long = "word " * 8_000
    upstream.answer(long)
    upstream.answer(long)
    for stream in (False, True):
        turns = [{"role": role, "content": f"{n} {long}"} for n in range(10) for role in ("user", "assistant")]
        body = {"model": MODEL, "max_tokens": 9, "stream": stream, "messages": [*turns, QUESTION]}
        content = gzip.compress(json.dumps(body).encode())
        assert post(proxy, content, **{"content-encoding": "gzip"}).status_code == 200
    proxy.close()
    assert not [each for each in on_loop if each[1] >= 64 << 10]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [b'{"messages":[' + b"[]," * 2_000_000 + b"1]}", b'{"messages":[' + b"1," * 3_000_000 + b"1]}", b" " * 3_000_000],
)
def test_bodies_that_are_expensive_to_parse_pass_unread(
    proxy: BackgroundProxy, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    decoded: list[int] = []
    decode = json.JSONDecoder.raw_decode

    def counting(self: json.JSONDecoder, s: str, idx: int = 0) -> Any:
        decoded.append(idx)
        return decode(self, s, idx)

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", counting)
    assert post(proxy, body).status_code == 400
    assert upstream.exchanges[-1].body == body
    assert len(decoded) <= 2


def test_every_connection_header_names_what_is_dropped(start: StartProxy) -> None:
    with raw_upstream(lambda: [b"{}"], "application/json") as raw:
        proxy = start(upstream=raw.url)
        given = [
            ("connection", "x-one"),
            ("Connection", "keep-alive, X-Two"),
            *[(name, "secret") for name in ("x-one", "x-two", "x-three", "te", "keep-alive", "trailer")],
        ]
        httpx.post(f"{proxy.url}/v1/messages", content=BODY, headers=[*HEADERS.items(), *given], timeout=60)
        names = [name for name, _ in raw.requests[0][1]]
    assert "x-three" in names
    assert not {"x-one", "x-two", "te", "keep-alive", "trailer"} & set(names)


def send(proxy: BackgroundProxy, content: bytes, *, half_close: bool = False) -> bytes:
    """Sends bytes, and returns what comes until the proxy closes the connection."""
    parts = urlsplit(proxy.url)
    with socket.create_connection((parts.hostname, parts.port), 60) as connection:
        connection.sendall(content.replace(b"HOST", parts.netloc.encode()))
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


def test_a_body_of_two_lengths_is_refused(proxy: BackgroundProxy, upstream: Upstream) -> None:
    for path in (b"/v1/messages", b"/v1/files"):
        smuggled = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: HOST\r\n\r\n"
        head = b"POST %b HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = send(proxy, head % (path, len(smuggled)) + smuggled)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"connection: close" in answer.lower()
        assert answer.count(b"HTTP/1.1") == 1
    assert not upstream.exchanges


@pytest.mark.parametrize("path", [b"/v1/messages", b"/v1/files"])
def test_a_body_that_stalls_is_given_up(start: StartProxy, upstream: Upstream, path: bytes) -> None:
    proxy = start(body_s=0.05)
    answer = send(proxy, b'POST %b HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000\r\n\r\n{"messages"' % path)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"error"' in answer
    assert not upstream.calls


@pytest.mark.parametrize("path", [b"/v1/messages", b"/v1/files"])
def test_a_client_that_closes_its_half_is_gone(proxy: BackgroundProxy, upstream: Upstream, path: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000\r\n\r\n{"
    assert send(proxy, head % path, half_close=True) == b""
    assert not upstream.calls
    assert post(proxy).status_code == 200
