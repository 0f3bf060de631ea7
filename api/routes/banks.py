"""Listing banks and their statistics, and erasing banks and threads."""

from typing import Annotated

from fastapi import APIRouter, Path, Security

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, json_response, v1_problem_responses
from foxing.memory.values.banks import BankInfo, Banks
from foxing.memory.values.reports import ErasureReport

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
    metadata and trash."""
    return await service.run(service.memory.bank, bank)


@router.delete(
    "/{bank}",
    operation_id="erase_bank",
    summary="Erase a bank",
    responses={
        **json_response(200, "The bank is gone.", examples.BANK_ERASURE_REPORT),
        **v1_problem_responses(404),
    },
)
async def erase_bank(bank: BankPath, service: ServiceDep) -> ErasureReport:
    """Erases a bank for good with all its messages, pages and records, in one transaction. Its name can be used
    again."""
    return await service.run_codec(service.memory.erase_bank, bank)


# Names of threads may contain slashes.
@router.delete(
    "/{bank}/threads/{thread:path}",
    operation_id="erase_thread",
    summary="Erase a thread",
    responses={
        **json_response(200, "The thread is gone.", examples.ERASURE_REPORT),
        **v1_problem_responses(404),
    },
)
async def erase_thread(
    bank: BankPath, thread: Annotated[str, Path(description="Name of the thread.")], service: ServiceDep
) -> ErasureReport:
    """Erases all messages of a thread for good, as erasing a message does. If it is interrupted, each message is whole
    or gone, and erasing the thread again completes it. Records are not concerned."""
    return await service.run_codec(service.memory.erase_thread, bank, thread, progress=service.go_on)
