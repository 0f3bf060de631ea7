"""Recall."""

from typing import Annotated

from fastapi import APIRouter, Body, Security

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, v1_problem_responses
from foxing.api.schemas import RecallRequest
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
        images = await service.run_codec(service.memory.recall_images, bank, body)
        service.metrics.memory.record_image_recall()
        return images
    result = await service.run_codec(service.memory.recall, bank, body)
    service.metrics.memory.record_recall(result)
    return result
