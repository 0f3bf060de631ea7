"""Endpoints that list banks, return statistics, and erase banks and threads."""

from typing import Annotated

from fastapi import Path, Query
from fastapi.routing import APIRoute
from starlette.responses import Response

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, ServiceDep
from foxing.api.jobs import WAIT_S
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import ThreadConditions
from foxing.memory import BankInfo, Banks, ErasureReport, ThreadInfo, Threads, Value
from foxing.memory.values.threads import ThreadTitle

from .jobs import ACCEPTED, WaitQuery
from .router import memory_router

router = memory_router("/v1/banks", "banks", APIRoute)


@router.get(
    "",
    summary="List banks",
    response_description="The banks and their statistics.",
)
async def list_banks(service: ServiceDep, limit: LimitQuery = 50, cursor: CursorQuery = None) -> Banks:
    """Returns all banks with statistics of their contents and sizes in bytes."""
    return await service.run(service.memory.banks, limit=limit, cursor=cursor)


@router.get(
    "/{bank}",
    summary="Get the statistics of a bank",
    response_description="The statistics of the bank.",
    responses=problem_responses(404),
)
async def get_bank(bank: BankPath, service: ServiceDep) -> BankInfo:
    """Returns the number of messages, threads and pages by tier, and the size of tokens, text, index, keepsakes,
    metadata and trash in bytes."""
    return await service.run(service.memory.bank, bank)


@router.delete(
    "/{bank}",
    summary="Erase a bank",
    response_model=ErasureReport,
    response_description="The bank was erased.",
    responses=ACCEPTED | problem_responses(404, 409),
)
async def erase_bank(bank: BankPath, service: ServiceDep, wait: WaitQuery = WAIT_S) -> Value | Response:
    """Permanently erases a bank with all its messages, pages and records, in one transaction. Its name can be reused.
    After 202, the bank is complete until the job is `done`; the job is one without a bank."""
    return await service.jobs.answer(bank, "erase_bank", {}, wait)


@router.get(
    "/{bank}/threads",
    summary="List threads",
    response_description="The threads, those with the newest messages first.",
    responses=problem_responses(404),
)
async def list_threads(
    bank: BankPath,
    service: ServiceDep,
    conditions: Annotated[ThreadConditions, Query()],
) -> Threads:
    """Returns the threads of a bank with their titles, their speakers, and the number and the times of their messages.
    With conditions, those that meet all of them. Titles of requests that have faded are what is left of them."""
    return await service.run_codec(service.memory.threads, bank, **conditions.model_dump())


# Names of threads may contain slashes.
@router.patch(
    "/{bank}/threads/{thread:path}",
    summary="Rename a thread",
    response_description="The thread with its title.",
    responses=problem_responses(404, 409),
)
async def rename_thread(
    bank: BankPath,
    thread: Annotated[str, Path(description="Name of the thread.")],
    service: ServiceDep,
    body: ThreadTitle,
) -> ThreadInfo:
    """Gives a thread a title, in one line and without what the policy of the bank redacts. It lasts until the thread is
    erased, or until a person is erased whom it mentions. With null, the thread has the title of its export again, or
    that of its first request. Returns 409 if a legal hold keeps the bank."""
    return await service.run_codec(service.memory.operations.rename_thread, bank, thread, body.title)


@router.delete(
    "/{bank}/threads/{thread:path}",
    summary="Erase a thread",
    response_model=ErasureReport,
    response_description="The thread was erased.",
    responses=ACCEPTED | problem_responses(404, 409),
)
async def erase_thread(
    bank: BankPath,
    thread: Annotated[str, Path(description="Name of the thread.")],
    service: ServiceDep,
    wait: WaitQuery = WAIT_S,
) -> Value | Response:
    """Permanently erases all messages of a thread, in the same way as single messages; those that are stored meanwhile
    stay. After 202, the erasure is pending: each message is either intact, so that it can be recalled, or erased, and
    all are erased once the job is `done`. An interrupted job is resumed; repeat the request after one that failed or
    was cancelled. Records are not affected."""
    return await service.jobs.answer(bank, "erase_thread", {"thread": thread}, wait)
