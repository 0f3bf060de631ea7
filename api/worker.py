"""The worker: processes the jobs of the queue, in a thread."""

import time
from collections.abc import Callable
from threading import Event, Thread

from foxing.memory import Memory
from foxing.memory.lifecycle.job_runner import JobResult
from foxing.renderer import FoxingError

from .logs import get_logger
from .metrics import Metrics

POLL_S = 5.0  # interval at which an idle worker polls for jobs of other processes and for retries


class Worker:
    """Processes jobs from `start` to `stop`. An exception in a job is logged and counted; the worker continues."""

    def __init__(self, memory: Memory, metrics: Metrics, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """`is_stopping`: returns True once the process begins to stop, which may be before it calls `stop`."""
        self._memory = memory
        self._is_stopping = is_stopping
        self._metrics = metrics
        self._stopping = False
        self._called = Event()
        self._thread = Thread(target=self._run, name="worker")
        #: Number of completed jobs.
        self.done = 0
        #: Number of failed attempts at jobs.
        self.failed = 0

    def start(self) -> None:
        """Starts the worker, which also processes jobs that are already in the queue."""
        self._thread.start()

    def call(self) -> None:
        """Wakes an idle worker to poll the queue now."""
        self._called.set()

    def stop(self) -> None:
        """Stops the worker between two pages; the rest of its job stays in the queue."""
        self._stopping = True
        self._called.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends():
            self._called.clear()
            try:
                idle = not self._work()
            except Exception:
                # The next attempt may succeed: most errors here come from the database.
                get_logger().exception("worker failed")
                idle = True
            if idle and not self._ends():
                self._called.wait(POLL_S)

    def _ends(self) -> bool:
        return self._stopping or self._is_stopping()

    def _work(self) -> bool:
        """Processes one job; returns False if there was none."""
        if self._resume():
            return True
        started = time.perf_counter()
        result = self._memory.operations.jobs.work(self._memory.now(), stopping=self._ends)
        if result is None:
            return False
        self.done += result.error is None and not result.helped
        self.failed += result.error is not None
        self._metrics.ageing.record_job(result)
        _log_job(result, time.perf_counter() - started)
        return True

    def _resume(self) -> bool:
        """Carries out a job of a bank whose process has ended; returns False if there was none."""
        jobs = self._memory.operations.bank_jobs
        job = jobs.take()
        if job is None:
            return False
        try:
            result = jobs.run(job.id, self._ends)
        except FoxingError as error:
            self._metrics.ageing.record_bank_job(job.kind, "failed", None)
            get_logger().error("job failed", bank=job.bank, kind=job.kind, reason=str(error))
            return True
        self._metrics.ageing.record_bank_job(job.kind, "ended" if result is None else "done", result)
        return True


def _log_job(result: JobResult, duration_s: float) -> None:
    log = get_logger()
    if result.error is not None:
        log.error("job failed", bank=result.bank, kind=result.kind, reason=result.error)
    if result.unreadable:
        log.warning(
            "unreadable pages skipped",
            bank=result.bank,
            pages=len(result.unreadable),
            first=result.unreadable[0].page_id,
            reason=result.unreadable[0].reason,
        )
    if result.sealed_pages or result.moved_pages or result.purged:
        log.info(
            "job",
            bank=result.bank,
            kind=result.kind,
            sealed_pages=result.sealed_pages,
            moved_pages=result.moved_pages,
            purged=result.purged,
            duration_ms=round(duration_s * 1000, 1),
        )
