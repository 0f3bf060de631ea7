"""Websockets pass."""

import socket
import threading
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

from .conftest import StartProxy


@pytest.fixture
def echo() -> Iterator[Server]:
    """A server that returns what it is sent, with the path and the key that it saw, and closes at "end"."""

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        connection.send(f"{connection.request.path} {connection.request.headers['authorization']}")
        for frame in connection:
            if frame == "end":
                connection.close(4000, "ended")
                return
            connection.send(frame)

    def check(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(401, "no") if "authorization" not in request.headers else None

    with serve(handle, "127.0.0.1", 0, process_request=check, subprotocols=["codex"], max_size=None) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_websocket_passes(start: StartProxy, echo: Server) -> None:
    port = echo.socket.getsockname()[1]
    proxy = start(upstream=f"http://127.0.0.1:{port}")
    url = f"ws{proxy.url.removeprefix('http')}/backend-api/codex/responses?x=1"
    headers = {"authorization": "Bearer sk-secret", "x-foxing-session": "s"}
    with connect(url, additional_headers=headers, subprotocols=["codex"], proxy=None, max_size=None) as client:  # type: ignore[list-item]
        assert client.subprotocol == "codex"
        assert client.recv() == "/backend-api/codex/responses?x=1 Bearer sk-secret"
        for frame in ("text", b"\x00\xff", "a" * 2_000_000):
            client.send(frame)
            assert client.recv() == frame
        client.send("end")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4000
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None)
    assert refused.value.response.status_code == 401


def test_a_websocket_without_an_upstream_or_a_key_is_refused(start: StartProxy) -> None:
    for proxy in (start(upstream="http://127.0.0.1:9"), start(key="fox")):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws{proxy.url.removeprefix('http')}/v1/responses", proxy=None)
        assert refused.value.response.status_code in (403, 502)


def test_a_client_that_is_gone_ends_its_websocket_upstream(start: StartProxy) -> None:
    ended = threading.Event()

    def handle(connection: ServerConnection) -> None:
        connection.send("hello")
        for _ in connection:
            pass
        ended.set()

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        proxy = start(upstream=f"http://127.0.0.1:{server.socket.getsockname()[1]}")
        client = connect(f"ws{proxy.url.removeprefix('http')}/v1/responses", proxy=None)
        assert client.recv() == "hello"
        client.socket.shutdown(socket.SHUT_RDWR)  # without a word
        client.socket.close()
        assert ended.wait(30)
        server.shutdown()
        thread.join()


def test_websockets_are_neither_compressed_nor_too_many_and_have_a_largest_message(
    start: StartProxy, echo: Server
) -> None:
    port = echo.socket.getsockname()[1]
    proxy = start(upstream=f"http://127.0.0.1:{port}", max_websockets=1, max_frame_bytes=100_000)
    url = f"ws{proxy.url.removeprefix('http')}/v1/responses"
    headers = {"authorization": "Bearer sk-secret"}
    with connect(url, additional_headers=headers, subprotocols=["codex"], proxy=None) as client:  # type: ignore[list-item]
        assert client.response is not None
        assert "sec-websocket-extensions" not in client.response.headers
        client.recv()
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=headers, proxy=None)
        assert refused.value.response.status_code == 503
        client.send("a" * 100_001)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
