"""The MCP server mounted in the service, as streamable HTTP at /x/mcp/<bank>, behind the service's authentication."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

from foxing.memory import Memory

#: Paths of a bank; some clients append `/mcp` to the address that they are given.
PATHS = ("/{bank}", "/{bank}/mcp")
#: Limits on the body of a request, which the package parses on the event loop: bytes, and values, by what is between.
MAX_BYTES = 2 << 20
MAX_VALUES = 20_000
#: Seconds after the start of the service when the servers are made though nobody asks for them.
WARM_UP_S = 3.0
#: Query of an address for the tools of an operator, beside those that a model needs.
ALL_TOOLS = "all"


def make_app(memory: Memory) -> Starlette:
    """Returns the application, with the tools that a model needs, and with `?tools=all` in the address those of an
    operator too. It is stateless, so that any replica can serve a request."""
    servers = _Servers(memory)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = await _read(receive)
            if body is None:
                return  # the client disconnected
            if len(body) > MAX_BYTES or sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
                await _too_large(scope, receive, send)
                return
            receive = _replay(body, receive)
        toolset = QueryParams(scope.get("query_string", b"")).get("tools")
        await (await servers.app(all_tools=toolset == ALL_TOOLS))(scope, receive, send)

    # Without sessions, the event stream that the package offers on GET would never send anything.
    streams = [Route(path, _no_stream, methods=["GET"]) for path in PATHS]
    app = Starlette(routes=[*streams, Mount("", app=serve)], lifespan=lambda _: servers.running())
    app.state.stateless = True
    return app


class _Servers:
    """The servers without and with the tools of an operator. To import the package and to describe the tools takes a
    second, for which neither the start of the service nor its first recall waits: it is done at the first request, or
    `WARM_UP_S` after the start."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._asked = anyio.Event()
        self._ready = anyio.Event()
        self._apps: dict[bool, Starlette] = {}
        self._failure: Exception | None = None

    async def app(self, *, all_tools: bool) -> Starlette:
        """Returns the application of a server, once it is made. Raises what making it has raised."""
        self._asked.set()
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self._apps[all_tools]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Makes the servers, and runs them until the end of the block."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run)
            yield
            tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        with anyio.move_on_after(WARM_UP_S):
            await self._asked.wait()
        async with AsyncExitStack() as stack:
            try:
                self._apps = await anyio.to_thread.run_sync(_apps, self._memory)
                for app in self._apps.values():
                    await stack.enter_async_context(app.router.lifespan_context(app))
            except Exception as error:  # of another package
                self._failure = error
            self._ready.set()
            await anyio.sleep_forever()


def _apps(memory: Memory) -> dict[bool, Starlette]:
    """Returns the applications by whether they have the tools of an operator."""
    from .banks import by_address
    from .server import make_server

    return {all_tools: _app(make_server(by_address(memory), all_tools=all_tools)) for all_tools in (False, True)}


def _app(server: "MCPServer") -> Starlette:
    """Returns the application of a server, at both paths of a bank."""
    from mcp.server.transport_security import TransportSecuritySettings

    app = server.streamable_http_app(
        streamable_http_path=PATHS[0],
        stateless_http=True,
        # the service checks `Host` and `Origin`
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    endpoint = next(route.endpoint for route in app.router.routes if isinstance(route, Route))
    app.router.routes += [Route(path, endpoint) for path in PATHS[1:]]
    return app


async def _read(receive: Receive) -> bytes | None:
    """Returns the body of a request, of one that is too large its beginning; None if the client disconnected."""
    parts: list[bytes] = []
    size = 0
    while size <= MAX_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns what gives the application a body that has been read."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    problem = {
        "type": "urn:foxing:problem:body-too-large",
        "title": "The body is too large",
        "status": 413,
        "detail": f"a request to this MCP server has at most {MAX_BYTES >> 20} MiB and about {MAX_VALUES:,} values; "
        "send less at once",
    }
    answer = JSONResponse(problem, 413, {"Connection": "close"}, "application/problem+json")
    await answer(scope, receive, send)


async def _no_stream(request: Request) -> JSONResponse:
    problem = {
        "type": "urn:foxing:problem:method-not-allowed",
        "title": "The path does not support this method",
        "status": 405,
        "detail": "this MCP server only sends responses, so it has no event stream to GET; send requests by POST",
    }
    return JSONResponse(problem, 405, {"Allow": "POST"}, "application/problem+json")
