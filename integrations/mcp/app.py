"""The server mounted in the service, as streamable HTTP: /x/mcp/<bank>. The service checks the API key before it."""

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from foxing.memory import Memory

PATH = "/{bank}"


def make_app(memory: "Memory") -> Starlette:
    """The application. Requests are independent of each other, so that any replica may answer. Without the extra it
    says what to install."""
    try:
        from mcp.server.transport_security import TransportSecuritySettings

        from .banks import by_address
        from .server import make_server
    except ImportError:
        return Starlette(routes=[Route(PATH, _not_installed, methods=["GET", "POST", "DELETE"])])
    app = make_server(by_address(memory)).streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        # the service checks the host and the origin of a request
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    # The package would open a stream of events that never sends one, as there are no sessions.
    app.router.routes.insert(0, Route(PATH, _no_stream, methods=["GET"]))
    return app


async def _no_stream(request: Request) -> JSONResponse:
    problem = {
        "type": "urn:foxing:problem:method-not-allowed",
        "title": "The path does not support this method",
        "status": 405,
        "detail": "this MCP server sends nothing but answers, so there is no stream to GET; send requests by POST",
    }
    return JSONResponse(problem, 405, {"Allow": "POST"}, "application/problem+json")


async def _not_installed(request: Request) -> JSONResponse:
    problem = {
        "type": "urn:foxing:problem:plugin-broken",
        "title": "A plug-in cannot be used",
        "status": 503,
        "detail": "MCP is not installed in this service; run: pip install 'foxing[mcp]'",
    }
    return JSONResponse(problem, 503, media_type="application/problem+json")
