"""Endpoints that build the next prompt for a reader, and fetch messages of which it shows the references."""

from typing import Annotated

from fastapi import Query

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.api.openapi.examples import REF
from foxing.memory import ContextRequest, ContextResult, FetchResult
from foxing.memory.values.messages import MAX_REFS

from .router import memory_router

router = memory_router("/v1/banks/{bank}", "recall")


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
    return await service.recall(service.memory.context, bank, body)


RefQuery = Annotated[
    list[str],
    Query(
        description="Reference of a message, with or without brackets; may be repeated.",
        min_length=1,
        max_length=MAX_REFS,
        examples=[[REF]],
    ),
]


@router.get(
    "/fetch",
    summary="Fetch messages by reference",
    response_description="The complete messages, and the references without one.",
    responses=problem_responses(404, 410),
)
async def fetch(bank: BankPath, service: ServiceDep, ref: RefQuery) -> FetchResult:
    """Returns the complete messages of references, as remembered now, with their gaps and confidence: scan page images,
    then fetch the lines that matter. Fetching counts as a recall. If no reference has a message, the status is 410 if
    all their messages were erased, else 404."""
    return await service.recall(service.memory.fetch, bank, ref)
