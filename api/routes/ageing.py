"""Sealing, ageing and undo on request."""

from typing import Annotated

from fastapi import APIRouter, Body, Security

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, json_response, v1_problem_responses
from foxing.api.schemas import AgeRequest, SealRequest, UndoRequest
from foxing.memory.values.reports import AgeReport, SealReport, UndoReport

router = APIRouter(route_class=BodyRoute, prefix="/v1/banks/{bank}", tags=["ageing"], dependencies=[Security(bearer)])


@router.post(
    "/seal",
    operation_id="seal",
    summary="Seal open messages",
    responses={
        **json_response(200, "The new pages.", examples.SEAL_REPORT),
        **v1_problem_responses(404, body=True),
    },
)
async def seal(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        SealRequest | None,
        Body(openapi_examples={"now": {"summary": "Seal all open messages", "value": examples.SEAL_REQUEST}}),
    ] = None,
) -> SealReport:
    """Typesets all open messages onto pages, encodes them and responds when done. The body is optional."""
    request = body or SealRequest()
    service.check_now(request.now)
    report = await service.run_codec(
        service.memory.seal, bank, now=request.now, timezone=request.timezone, progress=service.go_on
    )
    service.metrics.ageing.record_seal(report)
    return report


@router.post(
    "/age",
    operation_id="age",
    summary="Age pages",
    responses={
        **json_response(200, "What moved or, in a dry run, would move.", examples.AGE_REPORT),
        **v1_problem_responses(404, body=True),
    },
)
async def age(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        AgeRequest | None,
        Body(openapi_examples={"preview": {"summary": "Preview", "value": examples.AGE_REQUEST}}),
    ] = None,
) -> AgeReport:
    """Moves each page to the tier that its age calls for and responds when done. With `dry_run` nothing changes, and
    `now` is always allowed. The body is optional."""
    request = body or AgeRequest()
    if not request.dry_run:
        service.check_now(request.now)
    report = await service.run_codec(
        service.memory.age,
        bank,
        now=request.now,
        timezone=request.timezone,
        dry_run=request.dry_run,
        preview=request.preview,
        progress=service.go_on,
    )
    service.metrics.ageing.record_age(report)
    return report


@router.post(
    "/undo",
    operation_id="undo",
    summary="Bring back what ageing dropped",
    responses={
        **json_response(200, "What was restored, and what was purged already.", examples.UNDO_REPORT),
        **v1_problem_responses(404, 410, body=True),
    },
)
async def undo(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        UndoRequest | None,
        Body(openapi_examples={"since": {"summary": "What was dropped since a day", "value": examples.UNDO_REQUEST}}),
    ] = None,
) -> UndoReport:
    """Restores tokens, exact text and index of pages as they were before ageing changed them, as far as their undo
    window has not passed, and pins the pages. Undoing again does nothing. The body is optional; 410 if all that was
    dropped of the `page` has been purged."""
    request = body or UndoRequest()
    service.check_now(request.now)
    return await service.run_codec(
        service.memory.undo,
        bank,
        since=request.since,
        page=request.page,
        now=request.now,
        timezone=request.timezone,
        progress=service.go_on,
    )
