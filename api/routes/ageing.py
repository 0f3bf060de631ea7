"""Sealing and ageing on request."""

from typing import Annotated

from fastapi import APIRouter, Body, Security

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import answer, bearer, problems
from foxing.memory.models import AgeReport, SealReport

from ..schemas import AgeRequest, SealRequest

router = APIRouter(prefix="/v1/banks/{bank}", tags=["ageing"], dependencies=[Security(bearer)])


@router.post(
    "/seal",
    operation_id="seal",
    summary="Seal open messages now",
    responses={**answer(200, "The new pages.", examples.SEAL_REPORT), **problems(403, 404, body=True)},
)
async def seal(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        SealRequest | None,
        Body(openapi_examples={"now": {"summary": "Everything that is open", "value": examples.SEAL_REQUEST}}),
    ] = None,
) -> SealReport:
    """Typesets all open messages onto pages and encodes them; answers when that is done. The body may be left out."""
    request = body or SealRequest()
    service.check_now(request.now)
    report = await service.codec(service.memory.seal, bank, now=request.now)
    service.metrics.seal(report)
    return report


@router.post(
    "/age",
    operation_id="age",
    summary="Age pages now",
    responses={**answer(200, "What moved, or would move.", examples.AGE_REPORT), **problems(403, 404, body=True)},
)
async def age(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        AgeRequest | None,
        Body(openapi_examples={"preview": {"summary": "A look ahead", "value": examples.AGE_REQUEST}}),
    ] = None,
) -> AgeReport:
    """Moves every page to the tier that its age calls for, and answers when that is done. With `dry_run` nothing
    changes, and `now` may be given whatever the settings say. The body may be left out."""
    request = body or AgeRequest()
    if not request.dry_run:
        service.check_now(request.now)
    report = await service.codec(service.memory.age, bank, now=request.now, dry_run=request.dry_run)
    service.metrics.age(report)
    return report
