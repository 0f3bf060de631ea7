"""Apps of other packages, mounted under /x/."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from support.plugins import InstallPlugin

from foxing.api.app import create_app
from foxing.api.plugins.apps import APPS
from foxing.api.settings import load_settings
from foxing.memory import Memory

KEY = {"Authorization": "Bearer sesame"}
events: list[str] = []


async def _echo(request: Request) -> Response:
    return PlainTextResponse(f"{request.state.greeting} {len(await request.body())}")


async def _talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    events.append("start")
    yield {"greeting": "read"}
    events.append("stop")


def make_app(memory: Memory) -> Starlette:
    routes = [Route("/echo", _echo, methods=["POST"]), WebSocketRoute("/talk", _talk)]
    return Starlette(routes=routes, lifespan=_lifespan)


async def plain_app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope["path"])(scope, receive, send)


def failing_app(memory: Memory) -> Starlette:
    raise RuntimeError("no kettle")


@pytest.fixture
def client(install_plugin: InstallPlugin, database_url: str) -> Iterator[TestClient]:
    events.clear()
    for name, app in {"echo": make_app, "plain": plain_app, "failing": failing_app, "odd": 3}.items():
        install_plugin(APPS, name, app)
    settings = load_settings({"api_key": "sesame", "database_url": str(database_url), "ageing_enabled": False})
    with TestClient(create_app(settings)) as client:
        yield client


def test_an_app_gets_any_body_and_runs_with_its_lifespan(client: TestClient) -> None:
    answer = client.post("/x/echo/echo", content=b"\xff" * 10, headers={**KEY, "Content-Type": "image/png"})
    assert answer.text == "read 10"
    assert answer.headers["X-Request-ID"]
    assert client.get("/x/plain/cup", headers=KEY).text == "/x/plain/cup"
    assert events == ["start"]
    assert 'route="/x/echo"' in client.get("/metrics", headers=KEY).text


def test_the_lifespan_of_an_app_ends_with_the_service(client: TestClient) -> None:
    client.__exit__()
    assert events == ["start", "stop"]


def test_requests_and_websockets_need_the_key(client: TestClient) -> None:
    assert client.post("/x/echo/echo").status_code == 401
    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect("/x/echo/talk"):
        pass
    assert caught.value.code == 1008
    with client.websocket_connect("/x/echo/talk", headers=KEY) as websocket:
        assert websocket.receive_text() == "hello"


@pytest.mark.parametrize("name", ["failing", "odd"])
def test_an_app_that_does_not_start_affects_nothing_else(client: TestClient, name: str) -> None:
    answer = client.get(f"/x/{name}/", headers=KEY)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:foxing:problem:plugin-broken"
    assert client.get("/v1/banks", headers=KEY).status_code == 200
    assert client.get("/x/nobody/", headers=KEY).status_code == 404
