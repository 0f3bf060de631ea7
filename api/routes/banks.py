"""Listing banks and their statistics."""

from fastapi import APIRouter, Security

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, json_response, v1_problem_responses
from foxing.memory.models import BankInfo, Banks

router = APIRouter(prefix="/v1/banks", tags=["banks"], dependencies=[Security(bearer)])


@router.get(
    "",
    operation_id="list_banks",
    summary="List banks",
    responses={**json_response(200, "The banks and their statistics.", examples.BANKS), **v1_problem_responses()},
)
async def list_banks(service: ServiceDep, limit: LimitQuery = 50, cursor: CursorQuery = None) -> Banks:
    """All banks, each with its contents and their size in bytes."""
    return await service.run(service.memory.banks, limit=limit, cursor=cursor)


@router.get(
    "/{bank}",
    operation_id="get_bank",
    summary="Get the statistics of a bank",
    responses={**json_response(200, "The statistics of the bank.", examples.BANK_INFO), **v1_problem_responses(404)},
)
async def get_bank(bank: BankPath, service: ServiceDep) -> BankInfo:
    """The number of messages, threads and pages by tier, and the bytes taken by tokens, text, index, keepsakes,
    metadata and wastebasket."""
    return await service.run(service.memory.bank, bank)
