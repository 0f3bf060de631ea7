"""The endpoint that folds the older history of a conversation."""

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory import FoldRequest, FoldResult

from .router import memory_router

router = memory_router("/v1/banks/{bank}", "recall")


@router.post(
    "/fold",
    summary="Fold the older history of a conversation",
    response_description="The conversation to send.",
    responses=problem_responses(409),
)
async def fold(bank: BankPath, service: ServiceDep, body: FoldRequest) -> FoldResult:
    """Returns the conversation with its older history as one user message of text and page images. Until the next fold,
    this message is the same at every call. Folds where it pays, while the provider's cache is cold, or where the budget
    is nearly exhausted, and only where no tool call is open. Stores the folded messages, each once, and creates the
    bank if necessary."""
    result = await service.run_codec(service.memory.fold, bank, body)
    if result.reason is not None:
        service.embed_soon(bank)
    return result
