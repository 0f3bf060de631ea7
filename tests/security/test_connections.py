"""Connections that send nothing, or half a request."""

import io
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from support.service import ok

from foxing.api import middleware
from foxing.api.app import create_app
from foxing.api.logs import configure_logs
from foxing.api.server import BackgroundServer, ConnectionLimits
from foxing.api.settings import load_settings
from foxing.memory import Memory

HALF = b"POST /v1/banks/b/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HEAD = HALF + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"


@contextmanager
def serve(memory: Memory, limits: ConnectionLimits) -> Iterator[httpx.URL]:
    with BackgroundServer(create_app(load_settings({"ageing_enabled": False}), memory), limits) as server:
        yield httpx.URL(server.url)


def connect(url: httpx.URL, sent: bytes) -> socket.socket:
    connection = socket.create_connection((url.host, url.port or 0), timeout=60)
    connection.sendall(sent)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Waits until the service closes the connection; what it answers before does not matter."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"G", HALF, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + HALF])
def test_half_open_connections_keep_nobody_out(memory: Memory, sent: bytes) -> None:
    with serve(memory, ConnectionLimits(connections=8)) as url, ExitStack() as stack:
        half_open = [stack.enter_context(connect(url, sent)) for _ in range(40)]
        for _ in range(3):
            assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}
        assert all(is_closed(connection) for connection in half_open[:30])  # the longest waiting ones


def test_the_head_of_a_request_has_to_come_in_time(memory: Memory) -> None:
    with serve(memory, ConnectionLimits(connections=8, head_s=0.2)) as url:
        for sent in (b"", HALF, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + HALF):
            with connect(url, sent) as connection:
                assert is_closed(connection)


def test_the_body_of_a_request_has_to_come_in_time(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_S", 0.2)
    with serve(memory, ConnectionLimits(connections=8)) as url, connect(url, HEAD + b"{") as connection:
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:foxing:problem:request-timeout" in answer


def test_a_request_in_progress_is_not_closed_for_others(memory: Memory) -> None:
    with serve(memory, ConnectionLimits(connections=4)) as url, ExitStack() as stack:
        body = b'{"messages": [{"role": "user", "content": "x"}]}'
        head = HEAD.replace(b"100", str(len(body)).encode()).replace(
            b"Content-Type", b"Expect: 100-continue\r\nContent-Type"
        )
        slow = stack.enter_context(connect(url, head))
        assert slow.recv(4096).startswith(b"HTTP/1.1 100 ")  # the head has arrived
        slow.sendall(body[:5])
        for _ in range(12):
            stack.enter_context(connect(url, HALF))
        assert httpx.get(url.join("/healthz"), timeout=60).is_success
        slow.sendall(body[5:])
        assert slow.recv(4096).startswith(b"HTTP/1.1 201 ")


def test_there_are_fewer_connections_than_descriptors() -> None:
    resource = pytest.importorskip("resource")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert ConnectionLimits.of_process().connections <= 1000
    assert files == resource.RLIM_INFINITY or ConnectionLimits.of_process().connections < files


def test_what_a_library_repeats_is_logged_ten_times_a_minute(root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({"log_format": "text"}), stream)
    for number in range(500):
        logging.getLogger("asyncio").error("socket.accept() out of system resource\nsocket: %s", number)
        logging.getLogger("foxing.api").info("request")
    lines = stream.getvalue().splitlines()
    assert sum("out of system resource" in line for line in lines) == 10
    assert sum("request" in line for line in lines) == 500
