"""Banks."""

from fastapi import APIRouter, Security

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import answer, bearer, problems
from foxing.memory.models import BankInfo, Banks

router = APIRouter(prefix="/v1/banks", tags=["banks"], dependencies=[Security(bearer)])


@router.get(
    "",
    operation_id="list_banks",
    summary="List banks",
    responses={**answer(200, "Banks with their statistics.", examples.BANKS), **problems()},
)
async def list_banks(service: ServiceDep, limit: LimitQuery = 50, cursor: CursorQuery = None) -> Banks:
    """All banks, each with what it holds and how many bytes that takes."""
    return await service.quick(service.memory.banks, limit=limit, cursor=cursor)


@router.get(
    "/{bank}",
    operation_id="get_bank",
    summary="Statistics of a bank",
    responses={**answer(200, "What the bank holds.", examples.BANK_INFO), **problems(404)},
)
async def get_bank(bank: BankPath, service: ServiceDep) -> BankInfo:
    """Messages, threads, pages by tier, and the bytes of tokens, text, index, keepsakes, metadata and wastebasket."""
    return await service.quick(service.memory.bank, bank)
