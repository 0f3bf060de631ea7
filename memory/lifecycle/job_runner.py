"""Jobs of one bank: erases, seals, ages, purges or embeds what is due, and computes when the job is next due."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.codec_source import CodecSource
from foxing.memory.ingest.seal import Sealer
from foxing.memory.storage import ages
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, holds, open_messages, schedule, trash
from foxing.memory.storage.repositories.jobs import DueJob
from foxing.memory.storage.repositories.schedule import ALWAYS_DUE, DueTime, JobKind
from foxing.memory.values.policy import Policy
from foxing.memory.values.reports import PageSkipped
from foxing.renderer import Progress

from .age import Ager
from .embed import MessageEmbedder
from .erase import Eraser, next_erasure
from .plan import next_due

#: Stores, within a transaction, when a job is next due.
Reschedule = Callable[[Connection], None]
#: Returns when a job of a bank is next due.
DueTimeOf = Callable[[Connection, int], DueTime]


@dataclass(frozen=True)
class JobResult:
    """Result of a job."""

    bank: str
    kind: JobKind
    sealed_pages: int = 0
    moved_pages: int = 0
    purged: int = 0
    erased: int = 0
    #: Pages that were due but left unchanged.
    unreadable: list[PageSkipped] = field(default_factory=list)
    #: True for part of a job that another worker holds.
    helped: bool = False
    #: Why the job failed; it is retried.
    error: str | None = None


class JobRunner:
    """Carries out jobs."""

    def __init__(
        self,
        database: Database,
        codecs: CodecSource,
        sealer: Sealer,
        ager: Ager,
        embedder: MessageEmbedder,
        eraser: Eraser,
    ) -> None:
        self._database = database
        self._codecs = codecs
        self._sealer = sealer
        self._ager = ager
        self._embedder = embedder
        self._eraser = eraser

    def run(self, job: DueJob, now: datetime, progress: Progress | None = None) -> JobResult:
        """Carries out what is due at `now` and returns the result. Resumable: after a kill, the next call completes the
        work.

        `progress`: called after each batch of pages or messages; an exception that it raises ends the job.
        """
        if job.kind == "erase":
            erased = self._eraser.erase_due(job.bank, job.bank_id, now, progress=progress)
            return JobResult(job.bank, job.kind, erased=erased)
        if job.kind == "seal":
            return JobResult(job.bank, job.kind, sealed_pages=self._seal(job, now, progress))
        if job.kind == "age":
            report = self._ager.age(job.bank, now, progress=progress)
            return JobResult(
                job.bank,
                job.kind,
                moved_pages=len(report.moved),
                purged=report.purged,
                unreadable=report.unreadable,
            )
        if job.kind == "embed":
            self._embedder.embed_missing(job.bank_id, progress)
            return JobResult(job.bank, job.kind)
        with self._database.read() as connection:
            due_at = trash.next_purge(connection, job.bank_id)
        if due_at is None or due_at > now:
            return JobResult(job.bank, job.kind)
        with self._database.write() as connection:
            banks.lock(connection, job.bank_id)
            hold = holds.that_keeps(connection, job.bank_id)
            purged = trash.purge(connection, job.bank_id, now) if hold is None else 0
        if purged:
            self._database.purge_deleted()
        return JobResult(job.bank, job.kind, purged=purged)

    def help(self, job: DueJob, now: datetime, progress: Progress | None = None) -> JobResult | None:
        """Carries out part of an ageing job that another worker holds. Returns None if the job is too small to share.
        The other worker keeps the job and reschedules it."""
        if not self._ager.is_large(job.bank, now):
            return None
        report = self._ager.age(job.bank, now, progress=progress, shared=True)
        return JobResult(job.bank, job.kind, moved_pages=len(report.moved), purged=report.purged, helped=True)

    def rescheduling(self, job: DueJob) -> Reschedule:
        """Returns a function that stores when `job` is next due. Slow work is done here, before its transaction."""
        due_time: DueTimeOf
        if job.kind == "seal":
            due_time = self._next_sealing(job.bank_id)
        else:
            due_time = {
                "erase": _next_erasure,
                "age": self._next_ageing,
                "embed": self._next_embedding,
                "purge": _next_purge,
            }[job.kind]

        def reschedule(connection: Connection) -> None:
            banks.lock(connection, job.bank_id)
            schedule.put(connection, job.bank_id, job.kind, due_time(connection, job.bank_id))

        return reschedule

    def _seal(self, job: DueJob, now: datetime, progress: Progress | None) -> int:
        """Seals full pages, and all open messages if the oldest is due. Returns the number of new pages."""
        with self._database.read() as connection:
            policy = Policy.parse(banks.by_id(connection, job.bank_id).policy)
            oldest = ages.oldest_open(connection, job.bank_id, policy.age_from)
            if oldest is None:
                return 0
            everything = oldest.at(now) >= policy.seal_after
            if not everything and self._sealer.free_chars(connection, job.bank_id):
                return 0
        return len(self._sealer.seal(job.bank, now, everything=everything, progress=progress).pages)

    def _next_sealing(self, bank_id: int) -> DueTimeOf:
        with self._database.read() as connection:  # measuring messages takes too long under the write lock
            free = self._sealer.free_chars(connection, bank_id)
            measured = open_messages.count_chars(connection, bank_id)

        def due_time(connection: Connection, bank_id: int) -> DueTime:
            policy = Policy.parse(banks.by_id(connection, bank_id).policy)
            oldest = ages.oldest_open(connection, bank_id, policy.age_from)
            due_at = None if oldest is None else oldest.when(policy.seal_after)
            free_now = free - max(0, open_messages.count_chars(connection, bank_id) - measured)
            return DueTime(ALWAYS_DUE if free_now <= 0 else due_at, free_now, self._codecs.name)

        return due_time

    def _next_embedding(self, connection: Connection, bank_id: int) -> DueTime:
        return DueTime(ALWAYS_DUE if self._embedder.is_due(connection, bank_id) else None)

    def _next_ageing(self, connection: Connection, bank_id: int) -> DueTime:
        policy = Policy.parse(banks.by_id(connection, bank_id).policy)
        if holds.that_keeps(connection, bank_id) is not None:
            return DueTime(None, codec=self._codecs.name)
        pages = ages.oldest_pages(connection, bank_id, policy.age_from)
        due_at = next_due(pages, policy, self._codecs.current().tiers)
        return DueTime(due_at, codec=self._codecs.name)


def _next_purge(connection: Connection, bank_id: int) -> DueTime:
    hold = holds.that_keeps(connection, bank_id)
    return DueTime(trash.next_purge(connection, bank_id) if hold is None else None)


def _next_erasure(connection: Connection, bank_id: int) -> DueTime:
    return DueTime(next_erasure(connection, bank_id))
