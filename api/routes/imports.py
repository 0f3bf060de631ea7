"""Import of uploaded histories."""

from typing import Annotated

import anyio
from fastapi import Path, Query, Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory import ImportJob, ImportPreview, ImportQuery
from foxing.memory.ingest.validate import check_bank_name

from .router import memory_router

router = memory_router("/v1/banks/{bank}/import", "import", APIRoute)

POLL_S = 0.1
#: Longest time that a request waits for the end of an import, in seconds.
LONGEST_WAIT_S = 60
ImportPath = Annotated[str, Path(description="Id of the import.", json_schema_extra={"pattern": "^[0-9a-f]{32}$"})]
FILE = {"schema": {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}}


@router.post(
    "",
    summary="Import a history",
    response_description="The import, whose messages are being stored; for a dry run, what would be imported.",
    responses=problem_responses(408, 409, 413, 415),
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": FILE}}},
)
async def import_history(
    bank: BankPath, service: ServiceDep, request: Request, query: Annotated[ImportQuery, Query()]
) -> ImportJob | ImportPreview:
    """Imports a file of any known format, such as the zip of ChatGPT's data export, sent as the body. It is read
    completely before the response, which takes minutes for a gigabyte, and refused as a whole if its format or its
    dates are ambiguous or if it cannot be read: `detail` and `errors` say what to choose. So is JSON Lines with a
    message that the bank would refuse; of other formats, such a message is left out. An archive with links, with
    paths that leave it or with an expansion like a zip bomb's is refused. Then its messages are stored in the
    background; sending the file again stores what is missing. The bank is created if it does not exist."""
    check_bank_name(bank)
    options = service.imports.options(query)
    async with service.imports.received(request, query.filename) as upload:
        if query.dry_run:
            return await service.imports.preview(bank, upload, options)
        source = await service.imports.check(bank, upload, options)
        if await request.is_disconnected():
            raise ClientDisconnect
        return await service.run(service.imports.add, bank, source, upload)


@router.get(
    "/{import_id}",
    summary="Show an import",
    response_description="The import, with its progress or its report.",
    responses=problem_responses(404),
)
async def import_progress(
    bank: BankPath,
    import_id: ImportPath,
    service: ServiceDep,
    wait: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the end of the import before responding.")
    ] = 0,
) -> ImportJob:
    """Returns an import with its progress, and with its report once it is done. The newest 100 imports of a bank are
    kept."""
    ends_at = anyio.current_time() + wait
    while True:
        job = await service.run(service.memory.operations.imports.find, bank, import_id)
        if job.is_over or anyio.current_time() >= ends_at or service.stopping.is_set():
            return job
        await anyio.sleep(POLL_S)


@router.delete(
    "/{import_id}",
    summary="Cancel an import",
    response_description="The import. It ends once the messages that are being stored are written.",
    responses=problem_responses(404),
)
async def cancel_import(bank: BankPath, import_id: ImportPath, service: ServiceDep) -> ImportJob:
    """Cancels an import. What is stored stays; send the file again to store the rest. Does nothing to an import that
    has ended."""
    return await service.run(service.memory.operations.imports.cancel, bank, import_id)
