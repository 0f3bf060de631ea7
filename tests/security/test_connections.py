"""Connections that send nothing or half a request, do not read their answers, or ask for answers that never end."""

import asyncio
import io
import json
import logging
import select
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from support.plugins import InstallPlugin
from support.service import check_problem, ok

from foxing.api import middleware, server
from foxing.api.app import create_app
from foxing.api.logs import configure_logs
from foxing.api.plugins.apps import APPS
from foxing.api.server import BackgroundServer, ConnectionLimits
from foxing.api.settings import load_settings
from foxing.memory import Memory

HALF = b"POST /v1/banks/b/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HEAD = HALF + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
MESSAGES = {"messages": [{"role": "user", "content": "x"}]}
LARGE = 16 << 20  # characters of an answer, more than the system holds for a client that reads nothing


def allow_descriptors(number: int) -> None:
    """Raises the limit of open files of this process to `number`, or skips the test."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= number:
        return
    if hard != resource.RLIM_INFINITY and hard < number:
        pytest.skip(f"needs {number} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


@contextmanager
def serve(memory: Memory, limits: ConnectionLimits) -> Iterator[httpx.URL]:
    with BackgroundServer(create_app(load_settings({"ageing_enabled": False}), memory), limits) as service:
        yield httpx.URL(service.url)


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


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HALF,
        # uvicorn waits for 5 s
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + HALF, marks=pytest.mark.slow),
    ],
)
def test_the_head_of_a_request_has_to_come_in_time(memory: Memory, sent: bytes) -> None:
    with (
        serve(memory, ConnectionLimits(connections=8, head_s=0.2)) as url,
        connect(url, sent) as connection,
    ):
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


async def _stream(request: Request) -> Response:
    """An answer that begins and never ends."""

    async def events() -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(events(), media_type="text/event-stream")


async def _think(request: Request) -> Response:
    await asyncio.Event().wait()
    return PlainTextResponse("")


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _large(request: Request) -> Response:
    return PlainTextResponse("x" * LARGE)


async def _hold(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive()


def make_app(memory: Memory) -> Starlette:
    return Starlette(
        routes=[
            *(Route(f"/{app.__name__[1:]}", app, methods=["GET", "POST"]) for app in (_stream, _think, _echo, _large)),
            WebSocketRoute("/hold", _hold),
        ]
    )


@pytest.fixture
def mounted(memory: Memory, install_plugin: InstallPlugin) -> Memory:
    """A memory whose service has an app at /x/app/."""
    install_plugin(APPS, "app", make_app)
    return memory


def head(path: str, **headers: str) -> bytes:
    method = "POST" if "Content_Length" in headers else "GET"
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "127.0.0.1", **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def fill(url: httpx.URL, stack: ExitStack, number: int, *sent: bytes) -> list[socket.socket]:
    """Connections that send one of `sent` each."""
    return [stack.enter_context(connect(url, sent[count % len(sent)])) for count in range(number)]


UNFINISHED = head("/x/app/echo", Content_Length="100") + b"{"
STREAM = head("/x/app/stream")
ATTACKS = {
    "unfinished": [UNFINISHED],
    "streams": [STREAM],
    "unfinished for the service": [HEAD + b"{"],
    "unfinished for /healthz": [head("/healthz", Content_Length="100") + b"{"],
    "all": [UNFINISHED, STREAM, HEAD + b"{", HALF, b""],
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("connections", [8, pytest.param(1000, marks=pytest.mark.slow)])
def test_unfinished_requests_and_streams_keep_nobody_out(
    mounted: Memory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, attack: str, connections: int
) -> None:
    allow_descriptors(4 * connections)
    monkeypatch.setattr(server, "CLIENT_GRACE_S", 0.1)
    with serve(mounted, ConnectionLimits(connections)) as url, ExitStack() as stack:
        fill(url, stack, connections + connections // 4, *ATTACKS[attack])
        for _ in range(3):
            assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}
            assert httpx.post(url.join("/v1/banks/b/messages"), json=MESSAGES, timeout=60).status_code == 201
            assert httpx.post(url.join("/x/app/echo"), content=b"tea", timeout=60).text == "3"
    assert "graceful shutdown exceeded" not in caplog.text


def test_requests_that_the_service_works_on_leave_room(mounted: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE_S", 0)
    with serve(mounted, ConnectionLimits(8)) as url, ExitStack() as stack:
        fill(url, stack, 8, head("/x/app/think") + HALF)
        assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}
        refused = httpx.get(url.join("/x/app/echo"), timeout=60)
        check_problem(refused, 503, "busy")
        assert refused.headers["retry-after"] == "1"
        assert httpx.post(url.join("/v1/banks/b/messages"), json=MESSAGES, timeout=60).status_code == 201


def test_a_service_full_of_work_answers_that_it_lives(memory: Memory) -> None:
    entered, opened = threading.Semaphore(0), threading.Event()

    def wait() -> datetime:
        entered.release()
        assert opened.wait(60)
        return datetime.now(UTC)

    with (
        Memory(memory.operations.database_url, clock=wait) as slow,
        serve(slow, ConnectionLimits(8)) as url,
        ExitStack() as stack,
    ):
        try:
            body = json.dumps(MESSAGES).encode()
            path = "/v1/banks/b/messages"
            stores = fill(
                url,
                stack,
                7,
                head(path, Content_Length=str(len(body)), Content_Type="application/json", Connection="close") + body,
            )
            assert entered.acquire(timeout=60)
            assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}
            check_problem(httpx.get(url.join("/v1/banks"), timeout=60), 503, "busy")
        finally:
            opened.set()
        for store in stores:
            assert store.recv(4096).startswith(b"HTTP/1.1 201 ")


def test_websockets_have_a_share(mounted: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("websockets")
    monkeypatch.setattr(server, "CLIENT_GRACE_S", 0.1)
    handshake = head(
        "/x/app/hold",
        Upgrade="websocket",
        Connection="Upgrade",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        Sec_WebSocket_Version="13",
    )
    with serve(mounted, ConnectionLimits(8)) as url, ExitStack() as stack:
        for _ in range(2):
            assert stack.enter_context(connect(url, handshake)).recv(4096).startswith(b"HTTP/1.1 101 ")
        assert stack.enter_context(connect(url, handshake)).recv(4096).startswith(b"HTTP/1.1 503 ")
        assert httpx.get(url.join("/x/app/echo"), timeout=60).status_code == 503
        assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}


def test_the_body_for_a_mounted_app_has_to_come_in_time(mounted: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_S", 0.2)
    with serve(mounted, ConnectionLimits(8)) as url, connect(url, UNFINISHED) as connection:
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:foxing:problem:request-timeout" in answer


def is_dropped(connection: socket.socket) -> bool:
    """Waits until the service drops the connection, without reading anything."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(60_000))


@pytest.mark.slow
def test_a_client_that_does_not_read_its_answer_is_closed(mounted: Memory) -> None:
    with serve(mounted, ConnectionLimits(32, unread_s=1.0)) as url, ExitStack() as stack:
        for connection in fill(url, stack, 8, head("/x/app/large"), head("/x/app/large", Connection="close")):
            assert is_dropped(connection)
        assert len(httpx.get(url.join("/x/app/large"), timeout=60).content) == LARGE


def test_answers_that_nobody_reads_take_little_memory(mounted: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_UNREAD_BYTES", 3 * LARGE)
    with serve(mounted, ConnectionLimits(100)) as url, ExitStack() as stack:
        unread = []
        for _ in range(12):
            unread += fill(url, stack, 1, head("/x/app/large"))
            assert unread[-1].recv(1) == b"H"
            assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}
        assert all(is_dropped(connection) for connection in unread[:8])


def test_answers_that_nobody_reads_keep_nobody_out(mounted: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLIENT_GRACE_S", 0.1)
    with serve(mounted, ConnectionLimits(8)) as url, ExitStack() as stack:
        fill(url, stack, 20, head("/healthz") * 2 + head("/x/app/large") * 3)
        for _ in range(3):
            assert ok(httpx.get(url.join("/healthz"), timeout=60)) == {"status": "ok"}
            assert httpx.post(url.join("/v1/banks/b/messages"), json=MESSAGES, timeout=60).status_code == 201
            assert httpx.post(url.join("/x/app/echo"), content=b"tea", timeout=60).text == "3"


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
