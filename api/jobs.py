"""Calls that may take longer than a request: each is a job, for whose end a request waits a while.

The job goes on when its request has been answered or its client has hung up. Jobs of processes that have ended are
resumed here; see `foxing.memory.bank_jobs`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from threading import Event
from typing import Any, Final, Protocol
from urllib.parse import quote

import anyio
import anyio.to_thread
from fastapi.responses import JSONResponse
from starlette.responses import Response

from foxing.memory import Closed, Job, Memory, Problem, Value
from foxing.memory.problems import TYPE_PREFIX
from foxing.memory.values.jobs import WITHOUT_BANK
from foxing.renderer import FoxingError, ProblemKind

from .logs import get_logger
from .metrics import Metrics
from .problems import RequestError

#: Default and maximum of the seconds for which a request waits for the end of its job. Clients and proxies give up
#: after 60 s as a rule; the first page that a process seals takes seconds more, since it loads the encoder.
WAIT_S: Final = 30
LONGEST_WAIT_S: Final = 60
#: Seconds between two looks at a job of another process, and for jobs that no process has any more.
POLL_S = 0.1
RESUME_S = 5.0


class _Run(Protocol):
    """Calls a function in a thread."""

    def __call__(self, call: Callable[..., Any], *args: Any) -> Awaitable[Any]: ...


class BankJobRunner:
    """Carries out the jobs that requests of this process start, and those whose process has ended."""

    def __init__(self, memory: Memory, metrics: Metrics, run: _Run, run_codec: _Run, stopping: Event) -> None:
        """`run`, `run_codec`: of `Service`. `stopping`: set when the service begins to stop."""
        self._memory = memory
        self._metrics = metrics
        self._run = run
        self._run_codec = run_codec
        self._stopping = stopping
        #: Id of a job of this process → its result, its error, or None if it was cancelled or put back.
        self._tasks: dict[str, asyncio.Task[Value | Exception | None]] = {}
        self._resuming: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to resume jobs whose process has ended."""
        # in an empty context: it works for the callers of all requests
        self._resuming = asyncio.get_running_loop().create_task(self._resume(), context=Context())

    async def close(self) -> None:
        """Waits for the batches in progress. The rest of the jobs is done by another process, or after a restart."""
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.wait([self._resuming])
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))
        with suppress(FoxingError):
            await anyio.to_thread.run_sync(self._memory.operations.bank_jobs.release)

    async def start(self, bank: str | None, kind: str, options: Mapping[str, Any]) -> Job:
        """Starts a job, or finds the one that the same call has started. `bank`: None for all banks of the caller.
        Raises `NotFound`, `InvalidTime`, `Busy`."""
        begun = await self._run(self._memory.operations.bank_jobs.start, bank, kind, options)
        job: Job = begun.job
        if begun.is_own:
            self._begin(job)
        return job

    async def answer(self, bank: str | None, kind: str, options: Mapping[str, Any], wait_s: float) -> Value | Response:
        """Returns the result of a call, or the response 202 with its job if that takes longer than `wait_s`. `bank`:
        None for all banks of the caller. Raises the errors of the call, and `Busy`."""
        jobs = self._memory.operations.bank_jobs
        job = await self.start(bank, kind, options)
        if kind in WITHOUT_BANK:
            bank = None
        task = self._tasks.get(job.id)
        if task is not None:
            await asyncio.wait([task], timeout=wait_s)
            outcome = task.result() if task.done() else None
            if isinstance(outcome, Exception):
                raise outcome
            if outcome is not None:
                return outcome
            job = await self._run(jobs.look, bank, job.id)
        else:
            job = await self.ended(bank, job.id, wait_s)
        if job.result is not None:
            return job.result
        if job.state == "failed" and job.error is not None:
            raise _raised(job.error)
        document = job.model_dump(mode="json")
        place = "/v1" if bank is None else f"/v1/banks/{quote(document['bank'])}"
        return JSONResponse(document, 202, {"Location": f"{place}/jobs/{job.id}"})

    async def ended(self, bank: str | None, job_id: str, wait_s: float) -> Job:
        """Returns a job once it has ended, or after `wait_s`. `bank`: None for one of any bank of the caller, or of
        none. Raises `NotFound`."""
        jobs = self._memory.operations.bank_jobs
        ends_at = anyio.current_time() + wait_s
        job: Job = await self._run(jobs.find, bank, job_id)
        while not (job.is_over or anyio.current_time() >= ends_at or self._stopping.is_set()):
            task = self._tasks.get(job_id)
            if task is None:
                await anyio.sleep(POLL_S)
            else:
                await asyncio.wait([task], timeout=min(1.0, ends_at - anyio.current_time()))
            job = await self._run(jobs.look, bank, job_id)
        return job

    def _begin(self, job: Job) -> None:
        """Carries out a job of this process, in the context of its caller."""
        task = asyncio.get_running_loop().create_task(self._carry_out(job), name=f"job {job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id))

    async def _carry_out(self, job: Job) -> Value | Exception | None:
        run = self._memory.operations.bank_jobs.run
        try:
            result: Value | None = await self._run_codec(run, job.id, self._stopping.is_set)
        except Exception as error:  # for the request that waits; the job has it too
            self._metrics.ageing.record_bank_job(job.kind, "failed", None)
            if not isinstance(error, FoxingError):
                get_logger().exception("job failed", bank=job.bank, id=job.id, kind=job.kind)
            return error
        state = "ended" if result is None else "done"
        self._metrics.ageing.record_bank_job(job.kind, state, result)
        get_logger().info("job of a bank", bank=job.bank, id=job.id, kind=job.kind, state=state)
        return result

    async def _resume(self) -> None:
        while not self._stopping.is_set():
            try:
                job = await anyio.to_thread.run_sync(self._memory.operations.bank_jobs.take)
            except Closed:
                return
            except FoxingError:  # the next look may succeed
                job = None
            if job is None:
                await asyncio.sleep(RESUME_S)
                continue
            get_logger().info("job resumed", bank=job.bank, id=job.id, kind=job.kind, attempts=job.attempts)
            self._begin(job)
            await asyncio.wait([self._tasks[job.id]])


def _raised(problem: Problem) -> RequestError:
    """Returns the error that another process met."""
    slug = problem.type.removeprefix(TYPE_PREFIX)
    kind = ProblemKind(slug, problem.status, problem.title, problem.retry or "never", problem.retry_after_s)
    return RequestError(kind, problem.detail)
