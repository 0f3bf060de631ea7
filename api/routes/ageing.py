"""Sealing, ageing, undo and re-encoding on request."""

from starlette.responses import Response

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.jobs import WAIT_S
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import AgeRequest, ReencodeRequest, SealRequest, UndoRequest
from foxing.memory import AgeReport, ReencodingReport, SealReport, UndoReport, Value

from .jobs import ACCEPTED, WaitQuery
from .router import memory_router

router = memory_router("/v1/banks/{bank}", "ageing")


@router.post(
    "/seal",
    summary="Seal open messages",
    response_model=SealReport,
    response_description="The new pages.",
    responses=ACCEPTED | problem_responses(404),
)
async def seal(
    bank: BankPath, service: ServiceDep, wait: WaitQuery = WAIT_S, body: SealRequest | None = None
) -> Value | Response:
    """Typesets all open messages onto pages and encodes the pages. Messages that are stored meanwhile stay open. The
    body is optional."""
    request = body or SealRequest()
    service.check_now(request.now)
    return await service.jobs.answer(bank, "seal", request.model_dump(mode="json"), wait)


@router.post(
    "/age",
    summary="Age pages",
    response_model=AgeReport,
    response_description="The pages that moved or, in a dry run, would move.",
    responses=ACCEPTED | problem_responses(404),
)
async def age(
    bank: BankPath, service: ServiceDep, wait: WaitQuery = WAIT_S, body: AgeRequest | None = None
) -> Value | Response:
    """Moves each page to the tier that the policy sets for its age. With `dry_run`, nothing changes, `now` is always
    allowed, and the response comes when all is counted. The body is optional."""
    request = body or AgeRequest()
    if request.dry_run:
        return await service.run_long(
            service.memory.age,
            bank,
            now=request.now,
            timezone=request.timezone,
            dry_run=True,
            preview=request.preview,
            progress=service.raise_if_stopping,
        )
    service.check_now(request.now)
    return await service.jobs.answer(bank, "age", request.model_dump(mode="json", include={"now", "timezone"}), wait)


@router.post(
    "/undo",
    summary="Undo ageing",
    response_model=UndoReport,
    response_description="The pages that were restored, and those whose data has been purged.",
    responses=ACCEPTED | problem_responses(404, 410),
)
async def undo(
    bank: BankPath, service: ServiceDep, wait: WaitQuery = WAIT_S, body: UndoRequest | None = None
) -> Value | Response:
    """Restores the tokens, exact text and index of pages as they were before ageing, within the undo window, and pins
    the pages. Idempotent. The body is optional. Returns 410 if all dropped data of `page` has been purged."""
    request = body or UndoRequest()
    service.check_now(request.now)
    return await service.jobs.answer(bank, "undo", request.model_dump(mode="json"), wait)


@router.post(
    "/reencode",
    summary="Reencode pages",
    response_model=ReencodingReport,
    response_description="The pages that were or, in a dry run, would be reencoded.",
    responses=ACCEPTED | problem_responses(404),
)
async def reencode(
    bank: BankPath, service: ServiceDep, wait: WaitQuery = WAIT_S, body: ReencodeRequest | None = None
) -> Value | Response:
    """Reencodes the pages of another codec or other weights with those of the service, as `foxing reencode` does. With
    `dry_run`, nothing changes, and the response comes when all is counted. The body is optional."""
    request = body or ReencodeRequest()
    if request.dry_run:
        return await service.run_long(service.memory.operations.reencode, bank, dry_run=True)
    return await service.jobs.answer(bank, "reencode", {}, wait)
