"""The MCP server mounted in the service, as streamable HTTP at /x/mcp/<bank>, behind the service's authentication."""

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from foxing.memory import Memory

PATH = "/{bank}"


def make_app(memory: "Memory") -> Starlette:
    """Returns the application. It is stateless, so that any replica can serve a request. If the extra is not installed,
    all requests get a problem document."""
    try:
        from mcp.server.transport_security import TransportSecuritySettings

        from .banks import by_address
        from .server import make_server
    except ImportError:
        return Starlette(routes=[Route(PATH, _not_installed, methods=["GET", "POST", "DELETE"])])
    app = make_server(by_address(memory)).streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        # the service checks `Host` and `Origin`
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    # Without sessions, the event stream that the package offers on GET would never send anything.
    app.router.routes.insert(0, Route(PATH, _no_stream, methods=["GET"]))
    return app


async def _no_stream(request: Request) -> JSONResponse:
    problem = {
        "type": "urn:foxing:problem:method-not-allowed",
        "title": "The path does not support this method",
        "status": 405,
        "detail": "this MCP server only sends responses, so it has no event stream to GET; send requests by POST",
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
