"""Jobs: what is due in the banks, done once by any number of workers.

The clock fills the queue from the schedule; workers take a job under a lease, do it, work out when it is next due, and
delete it in the same transaction. The queue is a table of ours rather than procrastinate's, because that runs
on PostgreSQL only, and SQLite is the embedded default.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Event, Thread

from foxing.memory.errors import Closed, NotFound, StorageError
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, jobs, records
from foxing.memory.storage.repositories.jobs import Job, Lease, QueueLag, QueueLength
from foxing.memory.telemetry import operation
from foxing.memory.values.reports import PageSkipped, TickReport
from foxing.renderer import FoxingError
from foxing.renderer.clock import utc_now

from .job_runner import JobResult, JobRunner
from .recall_weights import RecallWeights

LEASE = timedelta(seconds=60)  # after which the job of a killed worker is taken again
FIRST_PAUSE = timedelta(seconds=30)  # before a failed job is tried again; doubled by every further failure
LONGEST_PAUSE = timedelta(hours=1)

log = logging.getLogger(__name__)


def pause_after(attempts: int) -> timedelta:
    """How long a job that has failed `attempts` times waits for the next one."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 16)), LONGEST_PAUSE)


class _Stopped(Exception):
    """The process is stopping; the batches that are done are kept."""


def _never() -> bool:
    return False


class JobQueue:
    """The queue of jobs of a memory. Safe to share between threads; processes share it through the database."""

    def __init__(
        self,
        database: Database,
        runner: JobRunner,
        codec: str,
        recall_weights: RecallWeights,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`codec`: name of the present codec. `recall_weights`: the clock writes what they have counted. `clock`: real
        time, for leases and pauses; what is due is asked for the time that a call is given."""
        self._database = database
        self._runner = runner
        self._codec = codec
        self._recall_weights = recall_weights
        self._clock = clock

    def fill(self, now: datetime) -> int:
        """Adds a job for everything that is due at `now` and has none; returns how many. Banks in which nothing is due
        are not looked at. Records that have expired are deleted, what was purged while the log could not be erased is
        erased from it now, and what recall has found is counted."""
        self._recall_weights.write()
        self._database.purge_waiting()
        with self._database.read() as connection:
            due = jobs.is_due(connection, now, self._codec)
            expired = records.has_expired(connection, now)
        if expired:
            self._delete_expired_records(now)
        if not due:
            return 0
        with self._database.write() as connection:
            return jobs.fill(connection, now, codec=self._codec, created_at=self._clock())

    def _delete_expired_records(self, now: datetime) -> None:
        more = True
        while more:
            with self._database.write() as connection:
                more = records.delete_expired(connection, now) > 0
        self._database.purge_deleted()

    def length(self) -> QueueLength:
        """How many jobs wait, run, and wait after a failure."""
        with self._database.read() as connection:
            return jobs.length(connection)

    def lag(self, now: datetime) -> QueueLag:
        """How far the workers are behind at `now`."""
        with self._database.read() as connection:
            return jobs.lag(connection, now, self._clock())

    def work(self, now: datetime, *, stopping: Callable[[], bool] = _never) -> JobResult | None:
        """Takes the next job and does it as of `now`. If there is none that is free, it helps with one that another
        worker has, where many pages of a bank are to age; None if there is nothing to help with either.

        A job that fails returns to the queue, to be tried again after a pause that doubles each time. `stopping`: asked
        after each batch of pages; if it is true, the rest of the job returns to the queue and the result is None.
        """
        job = self._take()
        return self._help(now, stopping) if job is None else self._do(job, now, stopping)

    def _help(self, now: datetime, stopping: Callable[[], bool]) -> JobResult | None:
        """Pages are leased one by one, so that workers who share a bank do each once."""

        def check(done: int, total: int) -> None:
            if stopping():
                raise _Stopped

        with self._database.read() as connection:
            taken = jobs.running(connection, "age", self._clock())
        for job in taken:
            try:
                result = self._runner.help(job, now, check)
            except _Stopped:
                return None
            except Closed:
                raise
            except FoxingError as error:  # whoever has the job reports it
                log.warning("helping with job '%s' of bank '%s' failed: %s", job.kind, job.bank, error)
                continue
            if result is not None and result.moved_pages:
                return result
        return None

    def tick(self, now: datetime) -> TickReport:
        """See `Memory.tick`. Failed jobs are tried again without a pause, once in a tick."""
        self.fill(now)
        results: list[JobResult] = []
        done: set[tuple[int, str]] = set()
        last_id = 0
        while (job := self._take(retry_at_once=True, after_id=last_id)) is not None:
            if (job.bank_id, job.kind) in done:  # another clock has filled the queue again: that is its next tick
                self._put_back(job)
                break
            last_id = job.id
            done.add((job.bank_id, job.kind))
            result = self._do(job, now)
            if result is not None:
                results.append(result)
        return _tick_report(now, results)

    def _take(self, *, retry_at_once: bool = False, after_id: int | None = None) -> Job | None:
        with self._database.read() as connection:  # an idle worker disturbs no writer
            if not jobs.has_free(connection, self._clock(), retry_at_once=retry_at_once):
                return None
        with self._database.write() as connection:
            lease = Lease(uuid.uuid4().hex, self._clock(), LEASE)
            return jobs.take(connection, lease, retry_at_once=retry_at_once, after_id=after_id)

    def _do(self, job: Job, now: datetime, stopping: Callable[[], bool] = _never) -> JobResult | None:
        """Does a job and takes it off the queue; if it fails, it returns to the queue. None if it was stopped."""

        def check(done: int, total: int) -> None:
            if stopping():
                raise _Stopped

        try:
            with operation("job", bank=job.bank, kind=job.kind), self._lease_kept(job):
                result = self._runner.run(job, now, check)
                reschedule = self._runner.rescheduling(job)
            with self._database.write() as connection:
                reschedule(connection)
                jobs.add_following(connection, job, now, self._clock())  # before `finish`: SQLite gives ids again
                jobs.finish(connection, job)
            return result
        except _Stopped:
            self._put_back(job)
            return None
        except Closed:  # nothing can be written any more; the lease expires by itself
            raise
        except FoxingError as error:
            if isinstance(error, NotFound) and self._is_erased(job):
                return None
            reason = str(error)
        except Exception as error:  # an error in one bank must not stop the others
            log.exception("job '%s' of bank '%s' failed", job.kind, job.bank)
            reason = f"{type(error).__name__}: {error}"
        except BaseException:  # the process is being stopped
            self._put_back(job)
            raise
        self._put_back(job, reason)
        return JobResult(job.bank, job.kind, error=reason)

    def _is_erased(self, job: Job) -> bool:
        """Whether the bank of a job is gone, and the job with it."""
        with self._database.read() as connection:
            bank = banks.find(connection, job.bank)
            return bank is None or bank.id != job.bank_id

    def _put_back(self, job: Job, error: str | None = None) -> None:
        """Returns a job to the queue; where the database cannot be written either, its lease expires instead."""
        pause = timedelta(0) if error is None else pause_after(job.attempts)
        with suppress(StorageError, Closed), self._database.write() as connection:
            jobs.put_back(connection, job, self._clock() + pause, error)

    @contextmanager
    def _lease_kept(self, job: Job) -> Iterator[None]:
        """Extends the lease of a job from another thread, for as long as the block takes."""
        ended = Event()

        def extend() -> None:
            while not ended.wait(LEASE.total_seconds() / 3):
                with suppress(StorageError, Closed), self._database.write() as connection:
                    jobs.extend(connection, job, self._clock() + LEASE)

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
        failed_banks={result.bank: result.error for result in results if result.error is not None},
        unreadable=unreadable,
    )
