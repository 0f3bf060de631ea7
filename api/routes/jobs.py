"""Jobs: imports, and calls that take longer than a request."""

from typing import Annotated, Any

from fastapi import Path, Query
from fastapi.routing import APIRoute

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, Service, ServiceDep
from foxing.api.jobs import LONGEST_WAIT_S, WAIT_S
from foxing.api.openapi.document import problem_responses
from foxing.api.permissions import role_of_job
from foxing.memory import Access, Job, Jobs
from foxing.memory.values.jobs import WITHOUT_BANK

from .router import memory_router

router = memory_router("/v1/banks/{bank}/jobs", "jobs", APIRoute)
#: Jobs of all banks, and those without one.
router_of_all = memory_router("/v1/jobs", "jobs", APIRoute)

JobPath = Annotated[str, Path(description="Id of the job.", json_schema_extra={"pattern": "^[0-9a-f]{32}$"})]
#: Seconds that a call waits for its end.
WaitQuery = Annotated[
    int,
    Query(
        ge=0,
        le=LONGEST_WAIT_S,
        description="Seconds to wait for the end before responding 202 with the job, which continues.",
    ),
]
#: The same, of a job that may have ended.
EndQuery = Annotated[
    int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the end of the job before responding.")
]
#: What a call responds that takes longer than its client waits.
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Job,
        "description": f"The job, which continues: it took longer than `wait` ({WAIT_S} s by default). A repeated call "
        "gets the same job.",
        "headers": {
            "Location": {"description": "Path of the job.", "schema": {"type": "string"}},
        },
    }
}


@router.get("", summary="List the jobs of a bank", response_description="The jobs.", responses=problem_responses(404))
async def list_jobs(bank: BankPath, service: ServiceDep, limit: LimitQuery = 50, cursor: CursorQuery = None) -> Jobs:
    """Returns the jobs of a bank, imports among them, the newest first. Of those that have ended, the newest 100 are
    kept."""
    return await service.run(service.memory.operations.bank_jobs.list, bank, limit=limit, cursor=cursor)


@router.get(
    "/{job_id}",
    summary="Show a job",
    response_description="The job, with its progress or its result.",
    responses=problem_responses(404),
)
async def get_job(bank: BankPath, job_id: JobPath, service: ServiceDep, wait: EndQuery = 0) -> Job:
    """Returns a job with its progress, and with its result once it is done. Any process of the service answers for any
    job."""
    return await service.jobs.ended(bank, job_id, wait)


@router.delete(
    "/{job_id}",
    summary="Cancel a job",
    response_description="The job. It ends between two pages or batches; `done` says how much is complete, and stays.",
    responses=problem_responses(404),
)
async def cancel_job(bank: BankPath, job_id: JobPath, service: ServiceDep) -> Job:
    """Cancels a job, which needs the role of the call that started it. What is complete stays; start it again for the
    rest. Does nothing to a job that has ended."""
    return await _cancel(service, bank, job_id)


@router_of_all.get(
    "/{job_id}",
    summary="Show a job of any bank",
    response_description="The job, with its progress or its result.",
    responses=problem_responses(404),
)
async def get_any_job(job_id: JobPath, service: ServiceDep, wait: EndQuery = 0) -> Job:
    """Returns a job of any bank of the caller, or one without a bank: the erasure of a bank, or of what a person said,
    which need the role of the call that started them. Of those without a bank that have ended, the newest 100 of a
    tenant are kept."""
    job = await service.run(service.memory.operations.bank_jobs.find, None, job_id)
    if job.kind in WITHOUT_BANK:
        Access.current().check(role_of_job(job.kind), f"looking at a job of the kind {job.kind}")
    return await service.jobs.ended(None, job_id, wait)


@router_of_all.delete(
    "/{job_id}",
    summary="Cancel a job of any bank",
    response_description="The job. It ends between two pages or batches; `done` says how much is complete, and stays.",
    responses=problem_responses(404),
)
async def cancel_any_job(job_id: JobPath, service: ServiceDep) -> Job:
    """Cancels a job of any bank of the caller, or one without a bank, as a job of a bank is cancelled. A bank whose
    erasure is cancelled stays as it was."""
    return await _cancel(service, None, job_id)


async def _cancel(service: Service, bank: str | None, job_id: str) -> Job:
    jobs = service.memory.operations.bank_jobs
    job = await service.run(jobs.look, bank, job_id)
    Access.current().check(role_of_job(job.kind), f"cancelling a job of the kind {job.kind}")
    return await service.run(jobs.cancel, bank, job_id)
