"""Job queue: each due job is done once, by any number of workers.

The clock fills the queue from the schedule. A worker takes a job under a lease, does it, computes when it is next due
and deletes it in the same transaction. The queue is a table of its own rather than procrastinate's, which requires
PostgreSQL; SQLite is the embedded default.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from threading import Event, Thread

from foxing.memory.access import tenant_of
from foxing.memory.audit import log_of
from foxing.memory.errors import Closed, NotFound, StorageError
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, jobs, records
from foxing.memory.storage.repositories.jobs import DueJob, Lease, QueueLag, QueueLength
from foxing.memory.storage.repositories.schedule import following_kinds
from foxing.memory.telemetry import operation
from foxing.memory.values.reports import PageSkipped, TickReport
from foxing.renderer import FoxingError, Progress
from foxing.renderer.clock import utc_now
from foxing.renderer.interruption import Interrupted, interruptible

from .job_runner import JobResult, JobRunner
from .recall_weights import RecallWeights

LEASE = timedelta(seconds=60)  # until another worker may take the job of a killed one
MIN_RETRY_DELAY = timedelta(seconds=30)  # before a failed job is retried; doubles with each failure
MAX_RETRY_DELAY = timedelta(hours=1)

log = logging.getLogger(__name__)


def retry_delay(attempts: int) -> timedelta:
    """Returns the delay before the next attempt of a job that has failed `attempts` times."""
    return min(MIN_RETRY_DELAY * (1 << min(attempts - 1, 16)), MAX_RETRY_DELAY)


def _never() -> bool:
    return False


def _check(stopping: Callable[[], bool]) -> Progress:
    """Returns what raises `Interrupted` after a batch once the process is stopping."""

    def check(done: int, total: int) -> None:
        if stopping():
            raise Interrupted

    return check


class JobQueue:
    """Job queue of a memory. Safe to share between threads; processes share it through the database."""

    def __init__(
        self,
        database: Database,
        runner: JobRunner,
        codec: str,
        recall_weights: RecallWeights,
    ) -> None:
        """`codec`: name of the current codec. `recall_weights`: their counts are written by `fill`. Leases and delays
        count in real time; due times are compared with the `now` of each call instead."""
        self._database = database
        self._runner = runner
        self._codec = codec
        self._recall_weights = recall_weights
        #: Tenant whose job this process took last, empty for none; None before the first.
        self._served: str | None = None

    def flush(self) -> None:
        """Writes recall counts, and erases purged data that was still in the database's log."""
        self._recall_weights.write()
        self._database.purge_pending()

    def fill(self, now: datetime) -> int:
        """Adds a job for everything that is due at `now` and has none. Returns the number of jobs added. Does not read
        banks in which nothing is due. Also deletes expired records, and does what `flush` does."""
        self.flush()
        with self._database.read() as connection:
            due = jobs.is_due(connection, now, self._codec)
            expired = records.has_expired(connection, now)
        if expired:
            self._delete_expired_records(now)
        if not due:
            return 0
        with self._database.write() as connection:
            return jobs.fill(connection, now, codec=self._codec, created_at=utc_now())

    def _delete_expired_records(self, now: datetime) -> None:
        audit = log_of(self._database)
        unfinished = True
        with nullcontext() if audit is None else audit.work("job.records", None):
            while unfinished:
                with self._database.write() as connection:
                    unfinished = records.delete_expired(connection, now) > 0
        self._database.purge_deleted()

    def length(self) -> QueueLength:
        """Returns the number of jobs that wait, that run, and that wait after a failure."""
        with self._database.read() as connection:
            return jobs.length(connection)

    def lag(self, now: datetime) -> QueueLag:
        """Returns the delay of the workers at `now`."""
        with self._database.read() as connection:
            return jobs.lag(connection, now, utc_now())

    def work(self, now: datetime, *, stopping: Callable[[], bool] = _never) -> JobResult | None:
        """Takes the next free job and carries it out as of `now`. If there is none, helps with an ageing job of another
        worker. Returns None if there is nothing to do.

        Tenants take turns. A failed job returns to the queue and is retried after a delay that doubles each time.
        `stopping`: polled after each batch of pages, and while one is encoded; when true, the rest of the job returns
        to the queue and the result is None.
        """
        job = self._take()
        return self._help(now, stopping) if job is None else self._do(job, now, stopping)

    def _help(self, now: datetime, stopping: Callable[[], bool]) -> JobResult | None:
        """Helps with an ageing job of another worker. Each page is leased, so that it is aged once."""
        with self._database.read() as connection:
            running = jobs.running(connection, "age", utc_now())
        for job in running:
            try:
                with self._recording(job), interruptible(stopping):
                    result = self._runner.help(job, now, _check(stopping))
            except Interrupted:
                return None
            except Closed:
                raise
            except FoxingError as error:  # the worker that holds the job reports it
                log.warning("helping with job '%s' of bank '%s' failed: %s", job.kind, job.bank, error)
                continue
            if result is not None and result.moved_pages:
                return result
        return None

    def tick(self, now: datetime) -> TickReport:
        """Implements `Memory.tick`. Failed jobs are retried without delay, once per tick."""
        self.fill(now)
        results: list[JobResult] = []
        done: set[tuple[int, str]] = set()
        last_id = 0
        while (job := self._take(ignore_delay=True, after_id=last_id)) is not None:
            if (job.bank_id, job.kind) in done:  # another process has filled the queue again, for its own tick
                self._put_back(job)
                break
            last_id = job.id
            done.add((job.bank_id, job.kind))
            result = self._do(job, now)
            done -= {(job.bank_id, kind) for kind in following_kinds(job.kind)}  # what it did may have made them due
            if result is not None:
                results.append(result)
        return _tick_report(now, results)

    def _take(self, *, ignore_delay: bool = False, after_id: int | None = None) -> DueJob | None:
        with self._database.read() as connection:  # an idle worker takes no write lock
            if not jobs.has_free(connection, utc_now(), ignore_delay=ignore_delay):
                return None
        with self._database.write() as connection:
            lease = Lease(uuid.uuid4().hex, utc_now(), LEASE)
            job = jobs.take(connection, lease, ignore_delay=ignore_delay, after_id=after_id, after_tenant=self._served)
        if job is not None:
            self._served = tenant_of(job.bank) or ""
        return job

    def _do(self, job: DueJob, now: datetime, stopping: Callable[[], bool] = _never) -> JobResult | None:
        """Carries out a job and removes it from the queue; a failed job returns to it. None if the job was stopped."""
        try:
            with operation("job", bank=job.bank, kind=job.kind), self._lease_kept(job), interruptible(stopping):
                with self._recording(job):
                    result = self._runner.run(job, now, _check(stopping))
                reschedule = self._runner.rescheduling(job)
            with self._database.write() as connection:
                reschedule(connection)
                jobs.add_following(connection, job, now, utc_now())  # before `finish`: SQLite reuses ids
                jobs.finish(connection, job)
            return result
        except Interrupted:
            self._put_back(job)
            return None
        except Closed:  # the database is closed; the lease expires
            raise
        except FoxingError as error:
            if isinstance(error, NotFound) and self._is_erased(job):
                return None
            reason = str(error)
        except Exception as error:  # an error in one bank must not affect others
            log.exception("job '%s' of bank '%s' failed", job.kind, job.bank)
            reason = f"{type(error).__name__}: {error}"
        except BaseException:  # the process is being stopped
            self._put_back(job)
            raise
        self._put_back(job, reason)
        return JobResult(job.bank, job.kind, error=reason)

    def _recording(self, job: DueJob) -> AbstractContextManager[None]:
        """Records the block in the audit log, but for an embedding, which changes nothing that a bank says."""
        audit = log_of(self._database)
        return nullcontext() if audit is None or job.kind == "embed" else audit.work(f"job.{job.kind}", job.bank)

    def _is_erased(self, job: DueJob) -> bool:
        """True if the bank of a job was erased, which also deletes the job."""
        with self._database.read() as connection:
            bank = banks.find(connection, job.bank)
            return bank is None or bank.id != job.bank_id

    def _put_back(self, job: DueJob, error: str | None = None) -> None:
        """Returns a job to the queue. If the database cannot be written, the lease expires instead."""
        pause = timedelta(0) if error is None else retry_delay(job.attempts)
        with suppress(StorageError, Closed), self._database.write() as connection:
            jobs.put_back(connection, job, utc_now() + pause, error)

    @contextmanager
    def _lease_kept(self, job: DueJob) -> Iterator[None]:
        """Extends the lease of a job from another thread while the block runs."""
        ended = Event()

        def extend() -> None:
            while not ended.wait(LEASE.total_seconds() / 3):
                with suppress(StorageError, Closed), self._database.write() as connection:
                    jobs.extend(connection, job, utc_now() + LEASE)

        thread = Thread(target=extend, name=f"lease of job {job.id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _tick_report(now: datetime, results: Sequence[JobResult]) -> TickReport:
    unreadable: dict[str, list[PageSkipped]] = {}
    for result in results:
        if result.unreadable:
            unreadable.setdefault(result.bank, []).extend(result.unreadable)
    return TickReport(
        now=now,
        sealed_pages=sum(result.sealed_pages for result in results),
        moved_pages=sum(result.moved_pages for result in results),
        purged=sum(result.purged for result in results),
        erased=sum(result.erased for result in results),
        failed_banks={result.bank: result.error for result in results if result.error is not None},
        unreadable=unreadable,
    )
