"""The service itself: whether it lives, whether it can work, its figures, its description."""

from typing import Literal

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import HTMLResponse

from foxing.api.dependencies import ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.docs_page import reference_page
from foxing.api.openapi.document import answer, bearer, problem_answer
from foxing.memory.models import Value

from ..metrics import METRICS_MEDIA_TYPE

router = APIRouter(tags=["service"])


class Health(Value):
    """That all is well."""

    status: Literal["ok"] = "ok"


@router.get(
    "/healthz",
    operation_id="healthz",
    summary="Whether the process lives",
    responses={**answer(200, "It does.", examples.HEALTH), 500: problem_answer(500)},
)
async def healthz() -> Health:
    """Answers as long as the event loop turns; touches neither database nor codec."""
    return Health()


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Whether the service can work",
    responses={**answer(200, "It can.", examples.HEALTH), 500: problem_answer(500), 503: problem_answer(503)},
)
async def readyz(service: ServiceDep) -> Health:
    """Whether database and codec are usable; otherwise the problem says what to do."""
    await service.codec(service.memory.check)
    return Health()


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    dependencies=[Security(bearer)],
    responses={
        200: {
            "description": "The text format of Prometheus.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": "# TYPE foxing_messages_stored_total counter\nfoxing_messages_stored_total 2.0\n",
                }
            },
        },
        401: problem_answer(401),
        500: problem_answer(500),
    },
)
async def metrics(service: ServiceDep) -> Response:
    """Requests, latencies, messages, recalls, ageing and the decode queue."""
    return Response(service.metrics.expose(), media_type=METRICS_MEDIA_TYPE)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(reference_page(request.app.openapi()))
