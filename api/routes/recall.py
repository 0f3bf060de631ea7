"""Recall."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Body, Security

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, problems
from foxing.memory.errors import InvalidInput
from foxing.memory.models import RecalledImages, RecallResult

from ..schemas import FORMAT_TEXT_ONLY, RecallRequest

router = APIRouter(prefix="/v1/banks/{bank}", tags=["recall"], dependencies=[Security(bearer)])

_REQUESTS = {
    "query": {"summary": "A question, with a time in words", "value": examples.RECALL_REQUEST},
    "window": {"summary": "Everything of a week, in time order", "value": examples.RECALL_WINDOW_REQUEST},
    "images": {"summary": "Page images for a reader", "value": examples.RECALL_IMAGES_REQUEST},
}
_ANSWERS = {
    "text": {"summary": "format: text", "value": examples.RECALL},
    "images": {"summary": "format: images", "value": examples.RECALL_IMAGES},
}


@router.post(
    "/recall",
    operation_id="recall",
    summary="Recall messages",
    responses={
        200: {"description": "What the memory holds.", "content": {"application/json": {"examples": _ANSWERS}}},
        **problems(403, 404, body=True),
    },
)
async def recall(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[RecallRequest, Body(openapi_examples=_REQUESTS)],
) -> RecallResult | RecalledImages:
    """With a query: the messages that answer it, best first. Without one: the window in time order, every message
    once. Spans that were decoded say how sure the reading is, and which runs of characters may be misread."""
    service.check_now(body.now)
    if body.format == "images":
        return await _recall_images(bank, service, body)
    if body.reader is not None:
        raise InvalidInput("'reader' belongs to format 'images': leave it out, or ask for that format")
    found = await service.codec(
        service.memory.recall,
        bank,
        body.query,
        since=body.since,
        until=body.until,
        now=body.now,
        timezone=body.timezone,
        thread=body.thread,
        limit=body.limit,
        cursor=body.cursor,
        max_tokens=body.max_tokens,
        fidelity=body.fidelity,
    )
    service.metrics.recalls.labels("text").inc()
    for source, count in Counter(span.source for span in found.spans).items():
        service.metrics.recalled_spans.labels(source).inc(count)
    return found


async def _recall_images(bank: str, service: ServiceDep, body: RecallRequest) -> RecalledImages:
    misplaced = [name for name in FORMAT_TEXT_ONLY if name in body.model_fields_set]
    if misplaced:
        raise InvalidInput(f"{' and '.join(misplaced)} cannot be used with format 'images': leave it out")
    images = await service.codec(
        service.memory.recall_images,
        bank,
        body.query,
        since=body.since,
        until=body.until,
        now=body.now,
        timezone=body.timezone,
        thread=body.thread,
        limit=body.limit,
        cursor=body.cursor,
        reader=body.reader or "native",
    )
    service.metrics.recalls.labels("images").inc()
    return images
