"""Parts of a service of several processes: its limits, the shared socket, forwarding to the first process."""

import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from support.command_line import Foxing
from support.service import check_problem

from foxing.api.processes.forwarding import Forwarding
from foxing.api.processes.listener import ABSENT, DEFERRAL_S, ConnectionCounts, SharedListener
from foxing.api.server import BackgroundServer
from foxing.api.settings import InvalidSettings, load_settings

PARTS = 64
PART = b"x" * (64 << 10)


def test_the_number_of_processes_is_limited() -> None:
    most = 4 * (os.cpu_count() or 1)
    assert load_settings({"processes": most}).check_processes().processes == most
    with pytest.raises(InvalidSettings, match=f"{most + 1} processes are too many for .* use at most {most}"):
        load_settings({"processes": most + 1}).check_processes()
    for number in (0, -1):
        with pytest.raises(InvalidSettings, match="FOXING_PROCESSES"):
            load_settings({"processes": number})


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:a?mode=memory&uri=true"])
def test_a_database_in_memory_has_one_process(url: str) -> None:
    with pytest.raises(InvalidSettings, match="cannot share a database in memory"):
        load_settings({"database_url": url, "processes": 2}).check_processes()
    load_settings({"database_url": url}).check_processes()


def test_serve_says_why_it_does_not_start(tmp_path: object) -> None:
    memory = Foxing("sqlite://")
    assert "database in memory" in memory.failure("serve", "--processes", "2", status=2)["detail"]
    foxing = Foxing(f"sqlite:///{tmp_path}/a.db")
    assert "too many" in foxing.failure("serve", "--processes", "1000", status=2)["detail"]
    assert foxing.run("serve", "--processes", "0").exit_code == 2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert f"port {port}" in foxing.failure("serve", "--processes", "2", "--port", port, status=2)["detail"]


def test_a_process_accepts_one_connection_at_a_time_and_fewer_than_others() -> None:
    counts = [0, 0, ABSENT]
    own = ConnectionCounts(counts, 0)
    connections: list[socket.socket] = []
    own.connections = connections
    with socket.create_server(("127.0.0.1", 0)) as public:
        address = public.getsockname()
        with SharedListener.of(public, own) as listener, ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(socket.create_connection(address))

            def accept() -> None:
                connections.append(stack.enter_context(listener.accept()[0]))
                with pytest.raises(BlockingIOError):
                    listener.accept()

            accept()
            with pytest.raises(BlockingIOError):  # the other process has none
                listener.accept()
            assert counts == [1, 0, ABSENT]
            counts[1] = 1
            accept()
            with pytest.raises(BlockingIOError):
                listener.accept()
            time.sleep(1.5 * DEFERRAL_S)  # the other process is busy
            accept()
    assert len(connections) == 3


@pytest.fixture
def second() -> Iterator[httpx.Client]:
    """A client of a process that forwards `/x/` to the first."""
    first = FastAPI()

    @first.post("/x/echo")
    async def echo(request: Request) -> StreamingResponse:
        body = await request.body()

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(body), len(PART)):
                yield body[start : start + len(PART)]

        return StreamingResponse(chunks(), headers={"X-Own": "1"})

    @first.get("/x/about")
    async def about(request: Request) -> JSONResponse:
        return JSONResponse({"url": str(request.url), "host": request.headers["host"]}, 418)

    other = FastAPI()

    @other.get("/own")
    async def own() -> str:
        return "own"

    with BackgroundServer(first) as server:
        other.add_middleware(Forwarding, url=server.url, forwards=lambda path: path.startswith("/x/"))
        with BackgroundServer(other) as service, httpx.Client(base_url=service.url, timeout=60, verify=False) as client:
            yield client


def test_a_request_is_forwarded_as_it_is(second: httpx.Client) -> None:
    answer = second.get("/x/about?a=%20b", headers={"Host": "memory.example"})
    assert answer.status_code == 418
    assert answer.json() == {"url": "http://memory.example/x/about?a=%20b", "host": "memory.example"}
    assert second.get("/own").json() == "own"


def test_bodies_are_forwarded_as_they_come(second: httpx.Client) -> None:
    answer = second.post("/x/echo", content=iter([PART] * PARTS))
    assert answer.headers["x-own"] == "1"
    assert answer.content == PART * PARTS
    assert second.post("/x/echo", content=PART).content == PART


def test_a_first_process_that_is_being_replaced_is_busy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    app = FastAPI()
    app.add_middleware(Forwarding, url=f"http://127.0.0.1:{port}", forwards=lambda path: True)
    with BackgroundServer(app) as service, httpx.Client(base_url=service.url, timeout=60, verify=False) as client:
        check_problem(client.get("/console/banks"), 503, "busy")
