"""The MCP server mounted in the service, as streamable HTTP at /x/mcp/<bank>, behind the service's authentication."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from foxing.memory.problems import Problem
from foxing.memory import Memory
from foxing.renderer.plugins import PluginError

#: Paths of a bank; some clients append `/mcp` to the address that they are given.
PATHS = ("/{bank}", "/{bank}/mcp")
#: Limits on the body of a request, which the package parses on the event loop: bytes, and values, by what is between.
MAX_BYTES, MAX_VALUES = 2 << 20, 20_000
#: Query of an address for the tools of an operator, beside those that a model needs.
ALL_TOOLS = "all"


def make_app(memory: "Memory") -> Starlette:
    """Returns the application, with the tools that a model needs, and with `?tools=all` in the address those of an
    operator too. It is stateless, so that any replica can serve a request. If the extra is not installed,
    all requests get a problem document."""
    try:
        from .banks import by_address
        from .server import make_server
    except ImportError:
        return Starlette(routes=[Route(path, _not_installed, methods=["GET", "POST", "DELETE"]) for path in PATHS])
    apps = {all_tools: _app(make_server(by_address(memory), all_tools=all_tools)) for all_tools in (False, True)}

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = await _read(receive)
            if body is None:
                return  # the client disconnected
            if len(body) > MAX_BYTES or sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
                await _too_large(scope, receive, send)
                return
            receive = _replay(body, receive)
        asked = QueryParams(scope.get("query_string", b"")).get("tools")
        await apps[asked == ALL_TOOLS](scope, receive, send)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    # Without sessions, the event stream that the package offers on GET would never send anything.
    streams = [Route(path, _no_stream, methods=["GET"]) for path in PATHS]
    return Starlette(routes=[*streams, Mount("", app=serve)], lifespan=lifespan)


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


async def _not_installed(request: Request) -> JSONResponse:
    problem = Problem.of(PluginError.kind, "MCP is not installed in this service; run: pip install 'foxing[mcp]'")
    return JSONResponse(problem.document(), problem.status, media_type="application/problem+json")
