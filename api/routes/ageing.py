"""Sealing, ageing and undo on request."""

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import AgeRequest, SealRequest, UndoRequest
from foxing.memory import AgeReport, SealReport, UndoReport

from .router import memory_router

router = memory_router("/v1/banks/{bank}", "ageing")


@router.post(
    "/seal",
    summary="Seal open messages",
    response_description="The new pages.",
    responses=problem_responses(404),
)
async def seal(
    bank: BankPath,
    service: ServiceDep,
    body: SealRequest | None = None,
) -> SealReport:
    """Typesets all open messages onto pages and encodes the pages. Responds when done. The body is optional."""
    request = body or SealRequest()
    service.check_now(request.now)
    report = await service.run_long(
        service.memory.seal, bank, now=request.now, timezone=request.timezone, progress=service.raise_if_stopping
    )
    service.metrics.ageing.record_seal(report)
    return report


@router.post(
    "/age",
    summary="Age pages",
    response_description="The pages that moved or, in a dry run, would move.",
    responses=problem_responses(404),
)
async def age(
    bank: BankPath,
    service: ServiceDep,
    body: AgeRequest | None = None,
) -> AgeReport:
    """Moves each page to the tier that the policy sets for its age. Responds when done. With `dry_run`, nothing changes
    and `now` is always allowed. The body is optional."""
    request = body or AgeRequest()
    if not request.dry_run:
        service.check_now(request.now)
    report = await service.run_long(
        service.memory.age,
        bank,
        now=request.now,
        timezone=request.timezone,
        dry_run=request.dry_run,
        preview=request.preview,
        progress=service.raise_if_stopping,
    )
    service.metrics.ageing.record_age(report)
    return report


@router.post(
    "/undo",
    summary="Undo ageing",
    response_description="The pages that were restored, and those whose data has been purged.",
    responses=problem_responses(404, 410),
)
async def undo(
    bank: BankPath,
    service: ServiceDep,
    body: UndoRequest | None = None,
) -> UndoReport:
    """Restores the tokens, exact text and index of pages as they were before ageing, within the undo window, and pins
    the pages. Idempotent. The body is optional. Returns 410 if all dropped data of `page` has been purged."""
    request = body or UndoRequest()
    service.check_now(request.now)
    return await service.run_long(
        service.memory.undo,
        bank,
        since=request.since,
        page=request.page,
        now=request.now,
        timezone=request.timezone,
        progress=service.raise_if_stopping,
    )
