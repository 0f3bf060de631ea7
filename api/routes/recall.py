"""Recall."""

from typing import Annotated, TypedDict

from fastapi import APIRouter, Body, Security

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, v1_problem_responses
from foxing.api.schemas import FORMAT_TEXT_ONLY, RecallRequest
from foxing.memory.errors import InvalidInput
from foxing.memory.values.metadata import Scalar
from foxing.memory.values.recall import RecalledImages, RecallResult

router = APIRouter(route_class=BodyRoute, prefix="/v1/banks/{bank}", tags=["recall"], dependencies=[Security(bearer)])

_REQUESTS = {
    "query": {"summary": "A question with a time in words", "value": examples.RECALL_REQUEST},
    "window": {"summary": "All messages of a week, in time order", "value": examples.RECALL_WINDOW_REQUEST},
    "images": {"summary": "Page images for a reader", "value": examples.RECALL_IMAGES_REQUEST},
}
_RESPONSES = {
    "text": {"summary": "format: text", "value": examples.RECALL},
    "images": {"summary": "format: images", "value": examples.RECALL_IMAGES},
}


class _Selection(TypedDict):
    """The parameters that both formats of recall share."""

    query: str | None
    since: str | None
    until: str | None
    now: str | None
    timezone: str | None
    thread: str | None
    metadata: dict[str, Scalar] | None
    limit: int
    cursor: str | None


@router.post(
    "/recall",
    operation_id="recall",
    summary="Recall messages",
    responses={
        200: {"description": "What the memory holds.", "content": {"application/json": {"examples": _RESPONSES}}},
        **v1_problem_responses(404, body=True),
    },
)
async def recall(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[RecallRequest, Body(openapi_examples=_REQUESTS)],
) -> RecallResult | RecalledImages:
    """With a query, the messages that answer it, best first. Without one, all messages of the time window in time
    order, each once. Decoded spans report the confidence of the reading and the runs of characters that may be
    misread."""
    service.check_now(body.now)
    if body.format == "images":
        return await _recall_images(bank, service, body)
    if body.reader is not None:
        raise InvalidInput("'reader' requires format 'images': omit it, or request that format")
    selection = _selection(body)
    result = await service.run_codec(
        lambda: service.memory.recall(
            bank,
            **selection,
            max_tokens=body.max_tokens,
            neighbours=body.neighbours,
            fidelity=body.fidelity,
        )
    )
    service.metrics.memory.record_recall(result)
    return result


async def _recall_images(bank: str, service: ServiceDep, body: RecallRequest) -> RecalledImages:
    unsupported = [name for name in FORMAT_TEXT_ONLY if name in body.model_fields_set]
    if unsupported:
        raise InvalidInput(f"format 'images' does not support {' and '.join(unsupported)}; omit it")
    selection = _selection(body)
    result = await service.run_codec(
        lambda: service.memory.recall_images(bank, **selection, reader=body.reader or "native")
    )
    service.metrics.memory.record_image_recall()
    return result


def _selection(body: RecallRequest) -> _Selection:
    return {
        "query": body.query,
        "since": body.since,
        "until": body.until,
        "now": body.now,
        "timezone": body.timezone,
        "thread": body.thread,
        "metadata": body.metadata,
        "limit": body.limit,
        "cursor": body.cursor,
    }
