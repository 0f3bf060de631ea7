"""Endpoint that builds the next prompt for a reader."""

from fastapi import APIRouter

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory.values.context import ContextRequest, ContextResult

router = APIRouter(route_class=BodyRoute, prefix="/v1/banks/{bank}", tags=["recall"])


@router.post(
    "/context",
    summary="Build the next prompt",
    response_description="The content, within the budget.",
    responses=problem_responses(404),
)
async def context(bank: BankPath, service: ServiceDep, body: ContextRequest) -> ContextResult:
    """Returns the latest messages verbatim and recalled messages as text or page images, whichever shows more per
    billed token at a size that the reader is known to read. An image never costs more than its text, and the content
    never exceeds the budget. Blocks that do not change between calls come first, so that prompt caches hit."""
    service.check_now(body.now)
    return await service.run_codec(service.memory.context, bank, body)
