"""The remote codec with servers that hang, trickle or are down: it never waits for long, and can be stopped."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import create_server, socket
from typing import Any

import pytest

from foxing.encoder import CodecError, ReadFailed, Reading, VisionTokens
from foxing.encoder.conformance import sample_page
from foxing.encoder.remote.circuit_breaker import OPEN_S
from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.dispatch import PageDispatcher
from foxing.encoder.remote.endpoint import CHAT, CLOSED, Endpoint
from foxing.encoder.remote.options import RemoteOptions
from foxing.encoder.remote.retries import Timing
from foxing.renderer import render

BODY = json.dumps({"choices": [{"message": {"content": "The battery test"}}]}).encode()
#: Each connection is closed after its answer, and the client must know, or it may send the next request into it.
CLOSE = b"Connection: close\r\n"
ANSWER = (
    b"HTTP/1.1 200 OK\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (CLOSE, len(BODY)) + BODY
)
BUSY = b"HTTP/1.1 503 Busy\r\n%sRetry-After: 100\r\nContent-Length: 0\r\n\r\n" % CLOSE
LIMIT_S = 60.0  # less than any time that must not be waited for
START_S = 300.0  # of a process that imports torch


def read_request(connection: socket) -> None:
    """Read one request whole: a connection closed with bytes unread is reset, and its answer may be lost."""
    received = part = connection.recv(1 << 20)
    while part and b"\r\n\r\n" not in received:
        received += (part := connection.recv(1 << 20))
    headers, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", headers)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (part := connection.recv(missing)):
        missing -= len(part)


class Sockets:
    """A server that passes each connection to `talk`, in its own thread."""

    def __init__(self) -> None:
        self.talk: Callable[[socket], None] = self.hang
        self.asked = threading.Semaphore(0)
        self.stopped = threading.Event()
        self.connections: list[socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._loop = threading.Thread(target=self._accept)
        self._loop.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopped.is_set():
                connection.close()
                return
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket) -> None:
        with connection:
            try:
                read_request(connection)
                self.asked.release()
                self.talk(connection)
            except OSError:
                pass  # the client has disconnected

    def hang(self, connection: socket) -> None:
        self.stopped.wait()

    def trickle(self, connection: socket, beginning: bytes = b"HTTP/1.1 200 OK\r\n", part: bytes = b"X: 1\r\n") -> None:
        connection.sendall(beginning)
        while not self.stopped.wait(0.05):
            connection.sendall(part)

    def stop(self) -> None:
        self.stopped.set()
        with socket() as last:
            last.connect(self._listener.getsockname())
        self._loop.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    server = Sockets()
    yield server
    server.stop()


class Clock:
    """Time that only passes in pauses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def timing(self) -> Timing:
        return Timing(sleep=self.sleep, jitter=lambda: 0.5, clock=lambda: self.now)


def options(url: str, **changed: Any) -> RemoteOptions:
    return RemoteOptions(**{"url": url, "model": "m", "columns": 160, "timeout_s": 600.0, **changed})


def tokens_of(codec: EndpointCodec, count: int) -> list[VisionTokens]:
    pages = [sample_page(codec, number + 1) for number in range(count)]
    return codec.encode([render(page.cells, codec.layout, "small") for page in pages], "small")


@pytest.mark.parametrize(
    "sent",
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
        (b"", b"H"),
    ],
    ids=["headers", "body", "body with a length", "nothing"],
)
def test_timeout_holds_for_a_server_that_sends_slowly(sockets: Sockets, sent: tuple[bytes, bytes]) -> None:
    sockets.talk = lambda connection: sockets.trickle(connection, *sent)
    endpoint = Endpoint(options(sockets.url, timeout_s=0.4, retries=0))
    with pytest.raises(ReadFailed, match=r"did not respond within 0\.4 s|broke"):
        endpoint.ask(CHAT, {})  # the server would go on for as long as the test
    endpoint.close()


def test_all_attempts_for_a_page_share_one_deadline(sockets: Sockets) -> None:
    sockets.talk = lambda connection: connection.sendall(BUSY.replace(b"100", b"4"))
    clock = Clock()
    endpoint = Endpoint(options(sockets.url, page_timeout_s=10.0, retries=20), clock.timing)
    with pytest.raises(
        ReadFailed, match=r"\(tried 3 times; the timeout of a page is 10 s, the option 'page_timeout_s'\)"
    ):
        endpoint.ask(CHAT, {})
    assert clock.pauses == [4.0, 4.0]
    endpoint.close()


def test_a_pause_longer_than_the_deadline_is_not_waited_for(sockets: Sockets) -> None:
    sockets.talk = lambda connection: connection.sendall(BUSY.replace(b"100", b"12"))
    clock = Clock()
    endpoint = Endpoint(options(sockets.url, page_timeout_s=10.0, retries=20), clock.timing)
    with pytest.raises(ReadFailed, match=r"\(tried once; the timeout of a page is 10 s"):
        endpoint.ask(CHAT, {})
    assert clock.pauses == []
    endpoint.close()


def test_pages_fail_at_once_while_the_server_is_unresponsive() -> None:
    clock = Clock()
    codec = EndpointCodec.load(options("http://127.0.0.1:9/v1", concurrency=1, retries=2), clock.timing)
    failures = codec.decode_each(tokens_of(codec, 6))
    assert all(isinstance(failure, ReadFailed) for failure in failures)
    assert ["cannot connect" in str(failure) for failure in failures] == [True, True, False, False, False, False]
    assert "did not respond to the last requests" in str(failures[-1])
    assert (codec.usage.requests, codec.usage.pages_failed) == (6, 6)
    clock.now += OPEN_S
    codec.decode_each(tokens_of(codec, 3))
    assert codec.usage.requests == 9
    codec.close()


def test_error_responses_do_not_open_the_circuit(sockets: Sockets) -> None:
    sockets.talk = lambda connection: connection.sendall(BUSY)
    codec = EndpointCodec.load(options(sockets.url, concurrency=1, retries=0), Clock().timing)
    failures = codec.decode_each(tokens_of(codec, 8))
    assert all("answered 503" in str(failure) for failure in failures)
    codec.close()


@pytest.mark.parametrize("busy", [False, True], ids=["requests", "pauses"])
def test_close_fails_pending_pages_and_the_codec_can_be_used_again(sockets: Sockets, busy: bool) -> None:
    if busy:
        sockets.talk = lambda connection: connection.sendall(BUSY)
    codec = EndpointCodec.load(options(sockets.url, concurrency=2, page_timeout_s=600.0))
    tokens = tokens_of(codec, 6)
    outcomes: list[Any] = []
    callers = [threading.Thread(target=lambda: outcomes.extend(codec.decode_each(tokens))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for _ in range(2):
        assert sockets.asked.acquire(timeout=LIMIT_S)
    codec.close()
    for caller in callers:
        caller.join(LIMIT_S)
        assert not caller.is_alive()
    assert len(outcomes) == 12
    assert all(isinstance(outcome, ReadFailed) for outcome in outcomes)
    assert {"closed" in str(outcome) for outcome in outcomes} == {True}
    assert sockets.asked.acquire(blocking=False) is False
    sockets.talk = lambda connection: connection.sendall(ANSWER)
    assert not any(isinstance(outcome, CodecError) for outcome in codec.decode_each(tokens))
    codec.close()
    codec.close()


def test_a_page_that_is_closed_between_two_requests_sends_no_other(sockets: Sockets) -> None:
    sockets.talk = lambda connection: connection.sendall(ANSWER)
    endpoint = Endpoint(options(sockets.url))
    reading, closed = threading.Event(), threading.Event()

    async def read(tokens: VisionTokens) -> Reading:
        reading.set()
        assert await asyncio.to_thread(closed.wait, LIMIT_S)
        await endpoint.request(CHAT, {})
        raise AssertionError("the request was sent")

    dispatcher = PageDispatcher(endpoint, lambda tokens: None, read)
    codec = EndpointCodec.load(options(sockets.url))
    outcomes: list[Any] = []
    caller = threading.Thread(target=lambda: outcomes.extend(dispatcher.each(tokens_of(codec, 1))))
    caller.start()
    assert reading.wait(LIMIT_S)
    dispatcher.close()
    closed.set()
    caller.join(LIMIT_S)
    assert [str(outcome) for outcome in outcomes] == [CLOSED]
    assert sockets.asked.acquire(blocking=False) is False
    assert endpoint.ask(CHAT, {}).text == "The battery test"
    dispatcher.close()


def test_a_retry_prints_nothing(sockets: Sockets, capsys: pytest.CaptureFixture[str]) -> None:
    sockets.talk = lambda connection: connection.sendall(BUSY.replace(b"100", b"1"))
    endpoint = Endpoint(options(sockets.url, retries=2), Clock().timing)
    with pytest.raises(ReadFailed, match="tried 3 times"):
        endpoint.ask(CHAT, {})
    assert capsys.readouterr() == ("", "")
    endpoint.close()


def test_a_response_that_is_too_large_is_refused(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxing.encoder.remote.endpoint.MAX_RESPONSE_BYTES", 1000)
    sockets.talk = lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 2000)
    endpoint = Endpoint(options(sockets.url))
    with pytest.raises(ReadFailed, match="more than 1,000 bytes; check that the option 'url' is the base of the API"):
        endpoint.ask(CHAT, {})
    endpoint.close()


HANGING = """
import os, signal, sys, threading
sys.path[:0] = {path!r}
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
from test_unresponsive import EndpointCodec, options, tokens_of
codec = EndpointCodec.load(options({url!r}, concurrency=1))
tokens = tokens_of(codec, 3)
"""

INTERRUPTED = """
def interrupt():
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    codec.{call}(tokens)
except KeyboardInterrupt:
    print("interrupted")
"""

ENDED = """
threading.Thread(target=codec.{call}, args=(tokens,), daemon=True).start()
sys.stdin.read(1)
print("ended")
"""


@pytest.mark.parametrize(
    ("code", "said", "call"),
    [
        pytest.param(INTERRUPTED, "interrupted", "decode", marks=pytest.mark.slow, id="interrupt-decode"),
        pytest.param(INTERRUPTED, "interrupted", "decode_each", id="interrupt-decode_each"),
        pytest.param(ENDED, "ended", "decode", marks=pytest.mark.slow, id="end-decode"),
        pytest.param(ENDED, "ended", "decode_each", marks=pytest.mark.slow, id="end-decode_each"),
    ],
)
def test_the_process_exits_while_a_request_hangs(
    sockets: Sockets, code: str, said: str, call: str, repository: Any
) -> None:
    path = [str(Path(__file__).parent), str(repository), *sys.path]
    code = (HANGING + code).format(path=path, url=sockets.url, call=call)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert sockets.asked.acquire(timeout=START_S)
        try:
            out, err = process.communicate("x", timeout=LIMIT_S)
        finally:
            process.kill()
    assert out.startswith(said), err
    assert process.returncode == 0, err
