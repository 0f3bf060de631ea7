"""Endpoint that recalls messages."""

from typing import Annotated

from pydantic import Discriminator

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import RecallRequest
from foxing.memory import RecalledImages, RecallResult

from .router import memory_router

router = memory_router("/v1/banks/{bank}", "recall")


@router.post(
    "/recall",
    summary="Recall messages",
    response_description="The recalled messages, as spans of text or page images.",
    responses=problem_responses(404),
)
async def recall(
    bank: BankPath,
    service: ServiceDep,
    body: RecallRequest,
) -> Annotated[RecallResult | RecalledImages, Discriminator("format")]:
    """Returns the messages that match a query, best first; without a query, all messages of the time window in time
    order, each once. Decoded spans have the confidence of the reading and the runs of characters that may be
    misread."""
    service.check_now(body.now)
    if body.format == "images":
        images = await service.recall(service.memory.recall_images, bank, body)
        service.metrics.memory.record_image_recall()
        return images
    result = await service.recall(service.memory.recall, bank, body)
    service.metrics.memory.record_recall(result)
    return result
