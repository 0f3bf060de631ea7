"""Liveness, readiness, metrics and the API reference."""

from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import FileResponse, HTMLResponse

from foxing.api.auth import MCP
from foxing.api.dependencies import ServiceDep
from foxing.api.metrics import METRICS_MEDIA_TYPE
from foxing.api.openapi.docs_page import reference_page
from foxing.api.openapi.document import bearer, problem_responses
from foxing.memory import NotFound, Value

from .router import operation_name

router = APIRouter(tags=["service"], generate_unique_id_function=operation_name)

_ICON = Path(__file__).parents[1] / "console" / "static" / "icon.svg"


class Health(Value):
    """Result of a health check that passed."""

    status: Literal["ok"] = "ok"


@router.get(
    "/healthz",
    summary="Liveness",
    response_description="The process is alive.",
    responses=problem_responses(421, 500),
)
async def healthz() -> Health:
    """Succeeds while the event loop is running. Does not access the database or the codec."""
    return Health()


@router.get(
    "/readyz",
    summary="Readiness",
    response_description="The service is ready.",
    responses=problem_responses(421, 500, 503),
)
async def readyz(service: ServiceDep) -> Health:
    """Succeeds if the database and the codec can be used; the result is cached for one second."""
    await service.check_ready()
    return Health()


@router.get("/.well-known/oauth-protected-resource", include_in_schema=False)
@router.get("/.well-known/oauth-protected-resource/x/mcp/{name:path}", include_in_schema=False)
async def resource_metadata(request: Request, service: ServiceDep, name: str = "") -> dict[str, Any]:
    """Returns the metadata of the service, or of an MCP server, as a protected resource (RFC 9728). Raises `NotFound`
    if callers cannot send tokens of an issuer."""
    tokens = service.settings.tokens
    if tokens is None:
        raise NotFound("this service takes keys alone; set tokens to take those of an issuer")
    resource = str(request.base_url) + (f"{MCP[1:]}{name}" if name else "")
    return {
        "resource": resource,
        "authorization_servers": [tokens.issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "Foxing",
    }


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    dependencies=[Security(bearer)],
    responses={
        200: {
            "description": "Metrics in the Prometheus text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problem_responses(401, 403, 421, 500),
    },
)
async def metrics(service: ServiceDep) -> Response:
    """Returns metrics of requests, latencies, messages, recalls, ageing, jobs, queues, connections, sizes and the
    process."""
    figures = await anyio.to_thread.run_sync(service.metrics.expose)  # which reads the database
    return Response(figures, media_type=METRICS_MEDIA_TYPE)


@router.get("/favicon.ico", include_in_schema=False)
async def icon() -> FileResponse:
    """Returns the icon of the service, which browsers ask for at this path, whatever page they show."""
    return FileResponse(_ICON, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Returns the API reference as a web page."""
    return HTMLResponse(reference_page(request.app.openapi()))
