"""Context: the next prompt for a reader."""

from typing import Annotated

from fastapi import APIRouter, Body, Security

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, json_response, v1_problem_responses
from foxing.memory.values.context import ContextRequest, ContextResult

router = APIRouter(route_class=BodyRoute, prefix="/v1/banks/{bank}", tags=["recall"], dependencies=[Security(bearer)])

_REQUESTS = {
    "query": {"summary": "What was said about a question, for Claude", "value": examples.CONTEXT_REQUEST},
    "messages": {"summary": "For the messages that the prompt holds", "value": examples.CONTEXT_MESSAGES_REQUEST},
}


@router.post(
    "/context",
    operation_id="context",
    summary="Build the next prompt",
    responses={
        **json_response(200, "The content, within the budget.", examples.CONTEXT),
        **v1_problem_responses(404, body=True),
    },
)
async def context(
    bank: BankPath, service: ServiceDep, body: Annotated[ContextRequest, Body(openapi_examples=_REQUESTS)]
) -> ContextResult:
    """The last messages exactly, and what recall finds, as text or page image, whichever shows more for a billed token
    at the size that the reader is known to read. An image never costs more than its text, and the content never more
    than the budget. Stable blocks come first, so that prompt caches hold."""
    service.check_now(body.now)
    return await service.run_codec(service.memory.context, bank, body)
