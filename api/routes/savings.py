"""Endpoints that record calls of models and return what folding saved."""

from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import AwareDatetime

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import binary_response, problem_responses
from foxing.memory import ModelCalls, RecordedCalls, Savings, SavingsBy
from foxing.memory.values.savings import MAX_ROWS, SavingsWindow

from .router import memory_router

router = memory_router("/v1/banks/{bank}", "savings")

CSV = "text/csv"


async def savings_window(
    by: Annotated[SavingsBy, Query(description="Whether to sum by day (UTC), session or model.")] = "day",
    since: Annotated[AwareDatetime | None, Query(description="Time of the first call to count.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Time from which calls do not count.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="Maximum number of rows: the newest.")] = 1_000,
) -> SavingsWindow:
    """Returns the time window of a request."""
    return SavingsWindow(by=by, since=since, until=until, limit=limit)


WindowQuery = Annotated[SavingsWindow, Depends(savings_window)]


@router.post(
    "/savings",
    summary="Record calls of models",
    response_description="The calls that were recorded.",
    responses=problem_responses(409),
)
async def record_model_calls(bank: BankPath, service: ServiceDep, body: ModelCalls) -> RecordedCalls:
    """Records what calls of models were billed, and calculates what they would have been without folding, under the
    same state of the provider's cache. Each call is recorded once. Creates the bank if necessary. The proxy records its
    calls by itself."""
    recorded = await service.run(service.memory.record_model_calls, bank, body)
    service.metrics.savings.record(body.calls, recorded)
    return recorded


@router.get(
    "/savings",
    summary="Show savings",
    response_description="What folding saved.",
    responses=problem_responses(404),
)
async def get_savings(bank: BankPath, service: ServiceDep, window: WindowQuery) -> Savings:
    """Returns what the recorded calls were billed, and what they would have been without folding, by day, session or
    model. Calls that cost more than without folding count as they are."""
    return await service.run(service.memory.savings, bank, **dict(window))


@router.get(
    "/savings.csv",
    summary="Download savings",
    response_class=Response,
    responses={**binary_response(CSV, "What folding saved."), **problem_responses(404)},
)
async def get_savings_table(bank: BankPath, service: ServiceDep, window: WindowQuery) -> Response:
    """Returns the rows of the savings as a table."""
    savings = await service.run(service.memory.savings, bank, **dict(window))
    return Response(savings.csv(), media_type=CSV)
