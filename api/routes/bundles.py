"""Endpoints that move banks: a bundle is downloaded and uploaded."""

import shutil
import tempfile
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import binary_response, problem_responses
from foxing.memory import BundleReport, Memory
from foxing.memory.ingest.validate import check_bank_name
from foxing.renderer.private_files import opener

from .imports import FILE
from .router import memory_router

router = memory_router("/v1/banks/{bank}", "bundles")

TAR = "application/x-tar"


@router.get(
    "/export",
    summary="Export a bank as a bundle",
    response_class=FileResponse,
    responses={**binary_response(TAR, "The bundle, a tar archive."), **problem_responses(404)},
)
async def export_bundle(bank: BankPath, service: ServiceDep) -> FileResponse:
    """Returns one bank in one portable archive, as it is at one moment: pages with their tokens, messages, images,
    records, folds, policy and index. The same bank gives the same bytes. Protect it like the database. Legal holds,
    jobs and what undo would restore are not in it."""
    folder = Path(await service.run(tempfile.mkdtemp, prefix="foxing-bundle-"))
    try:
        await service.run_codec(_write, service.memory, bank, folder / "bundle")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(folder / "bundle", media_type=TAR, filename="bank.foxing", background=remove)


def _write(memory: Memory, bank: str, path: Path) -> None:
    with open(path, "xb", opener=opener) as file:
        memory.operations.bundles.export(bank, file)


@router.post(
    "/bundle",
    summary="Import a bundle",
    response_description="What was imported.",
    responses=problem_responses(404, 408, 409, 413, 415),
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": FILE}}},
)
async def import_bundle(bank: BankPath, service: ServiceDep, request: Request) -> BundleReport:
    """Imports a bundle, sent as the body, as a new bank, completely or not at all: it is read and checked as a whole
    before anything is stored. Returns 409 if there is a bank of this name, and 422 for a bundle that is cut short,
    forged, of a newer version, or of a codec that is not installed. A request that was interrupted is repeated."""
    check_bank_name(bank)
    async with service.imports.received(request, None) as upload:
        return await service.run_codec(service.memory.operations.bundles.load, bank, upload.file.path)
