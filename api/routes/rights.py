"""Endpoints that erase and export what a person said, and set legal holds."""

from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from foxing.api.dependencies import ServiceDep
from foxing.api.jobs import WAIT_S
from foxing.api.json_lines import JSON_LINES, json_lines
from foxing.api.openapi.document import binary_response, problem_responses
from foxing.memory import Hold, HoldRequest, Holds, PersonErasure, PersonErasureRequest, Value

from .jobs import ACCEPTED, WaitQuery
from .router import memory_router

router = memory_router("/v1", "rights")

HoldPath = Annotated[str, Path(description="Id of the hold.", json_schema_extra={"pattern": "^[0-9a-f]{8}$"})]
PersonQuery = Annotated[
    str,
    Query(
        min_length=1,
        max_length=200,
        description="Name of the speaker, compared without case.",
        examples=["Mina"],
    ),
]


@router.post(
    "/erase",
    summary="Erase what a person said",
    response_model=PersonErasure,
    response_description="The banks with messages of the person, and what was erased or would be.",
    responses=ACCEPTED | problem_responses(404, 409),
)
async def erase_person(service: ServiceDep, body: PersonErasureRequest, wait: WaitQuery = WAIT_S) -> Value | Response:
    """Permanently erases what a person said in all banks of the caller, as single messages are erased; a dry run, which
    is the default, shows how many messages of which threads, when all are counted. Messages that are stored meanwhile
    stay. After 202, each message is either intact or erased, and all are erased once the job is `done`, one without a
    bank; repeat the request after one that failed or was cancelled. Returns 404 if no speaker has that name, and 409
    with nothing erased if a legal hold keeps any of the messages."""
    if body.dry_run:
        return await service.run_long(
            service.memory.operations.persons.erase,
            body.person,
            mentions=body.mentions,
            progress=service.raise_if_stopping,
        )
    options = {"person": body.person, "mentions": body.mentions}
    return await service.jobs.answer(None, "erase_person", options, wait)


@router.get(
    "/export",
    summary="Export what a person said",
    response_class=StreamingResponse,
    responses={
        **binary_response(JSON_LINES, "The messages, one JSON object a line, bank by bank in time order."),
        **problem_responses(404),
    },
)
async def export_person(
    service: ServiceDep,
    person: PersonQuery,
    mentions: Annotated[
        bool, Query(description="Whether messages of others count that have the name as words of their text.")
    ] = False,
) -> StreamingResponse:
    """Returns what a person said in all banks of the caller, as remembered now, in JSON Lines. A legal hold does not
    keep it from being exported."""
    messages = await service.run_codec(service.memory.operations.persons.export, person, mentions=mentions)
    return StreamingResponse(json_lines(service.run_codec, messages), media_type=JSON_LINES)


@router.post(
    "/holds",
    summary="Set a legal hold",
    status_code=201,
    response_description="The hold.",
    responses=problem_responses(404, 409),
)
async def set_hold(service: ServiceDep, body: HoldRequest) -> Hold:
    """Keeps a bank, or what a person said in all banks: until the hold is released, nothing of it is erased, by hand,
    by rules or by expiry, and the pages of these banks do not age."""
    return await service.run(service.memory.operations.holds.set, body)


@router.get("/holds", summary="List legal holds", response_description="The holds.")
async def list_holds(service: ServiceDep) -> Holds:
    """Returns the legal holds on the banks of the caller, in the order in which they were set."""
    return await service.run(service.memory.operations.holds.list)


@router.delete(
    "/holds/{hold_id}",
    summary="Release a legal hold",
    response_description="The hold, released.",
    responses=problem_responses(404),
)
async def release_hold(hold_id: HoldPath, service: ServiceDep) -> Hold:
    """Releases a legal hold. What it has suspended is due at once."""
    return await service.run(service.memory.operations.holds.release, hold_id)
