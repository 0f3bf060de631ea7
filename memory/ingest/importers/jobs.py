"""Imports that a service carries out, one after the other: jobs of the kind `import`, see `foxing.memory.bank_jobs`.

The file of an import is with the process that accepted it, so no other process can finish the import. Where its lease
has expired, the import has stopped, and sending the file again completes it.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foxing.memory.audit import audited
from foxing.memory.bank_jobs import STOPPED, STOPPED_DETAIL, BankJobs, import_of
from foxing.memory.errors import Closed, NotFound
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.ingest.dry_run import DryRun
from foxing.memory.ingest.store import MessageStore, PreparedCall
from foxing.memory.problems import Problem
from foxing.memory.storage.repositories import bank_jobs, banks
from foxing.memory.storage.repositories.bank_jobs import IMPORT
from foxing.memory.values.imports import ImportJob, ImportPreview
from foxing.memory.values.messages import NewMessage, StoreResult
from foxing.renderer.errors import FoxingError

from .importer import ImportOptions, ImportSource, check_file, not_in, preview_file, store_file
from .source import NamedFile

log = logging.getLogger(__name__)


class _Cancelled(Exception):
    """Raised when an import was cancelled, or its bank erased."""


class _Stopped(Exception):
    """Raised when the process is stopping."""


@audited(lambda owner: owner._database)
class ImportJobs:
    """Imports of a memory. Safe to share between threads."""

    def __init__(self, store: MessageStore, jobs: BankJobs, now: Callable[[], datetime]) -> None:
        """`now`: time of the memory."""
        self._store = store
        self._database = store.database
        self._jobs = jobs
        self._now = now

    def check(
        self, bank: str, file: NamedFile, options: ImportOptions, note: Callable[[NewMessage], object]
    ) -> ImportSource:
        """Reads a file completely and returns it; see `check_file`."""
        with DryRun.of(self._store, bank, self._now()) as dry_run:
            return check_file(file, options, note, dry_run)

    def preview(
        self, bank: str, file: NamedFile, options: ImportOptions, note: Callable[[NewMessage], object]
    ) -> ImportPreview:
        """Returns what an import of a file would store; see `preview_file`."""
        with DryRun.of(self._store, bank, self._now()) as dry_run:
            return preview_file(file, options, note, dry_run)

    def add(self, bank: str, source: ImportSource) -> ImportJob:
        """Adds an import of files that have been checked, creating the bank if necessary, and returns it."""
        now = self._now()
        job = ImportJob(
            id=uuid.uuid4().hex,
            bank=bank,
            file=str(source.path),
            state="waiting",
            messages=source.messages,
            done=0,
            stored=0,
            duplicates=0,
            seconds_left=None,
            created_at=now,
            updated_at=now,
            report=None,
            error=None,
        )
        self._jobs.add_import(job)
        return job

    def find(self, bank: str, job_id: str) -> ImportJob:
        """Returns an import. Raises `NotFound`."""
        return import_of(self._jobs.row(bank, job_id, IMPORT))

    def cancel(self, bank: str, job_id: str) -> ImportJob:
        """Asks an import to end after the messages that are being stored, and returns it; what is stored stays. Does
        nothing to one that has ended. Raises `NotFound`."""
        job = self.find(bank, job_id)
        self._jobs.cancel(bank, job_id)
        return job

    def run(self, job: ImportJob, source: ImportSource, stopping: Callable[[], bool]) -> ImportJob:
        """Carries out an import and returns it with its report. `stopping`: asked after each batch; when true, the
        import stops. Errors end the import, and are in it."""
        running = _Running(self, job, source, stopping)
        try:
            running.carry_out()
        finally:
            self._jobs.leave(job.id)
        return running.job

    def _bank_id(self, job: ImportJob) -> int:
        """Returns the id of the bank of an import. Raises `_Cancelled` if it was erased or the import is to end."""
        with self._database.read() as connection:
            bank = banks.find(connection, job.bank)
            row = None if bank is None else bank_jobs.find_in_bank(connection, bank.id, job.id)
        if bank is None or row is None or row.cancelled:
            raise _Cancelled
        return bank.id

    def _write(self, job: ImportJob) -> None:
        """Writes the progress of an import. Raises `_Cancelled` if it is gone."""
        if not self._jobs.write_import(job):
            raise _Cancelled


class _Running:
    """An import that is being carried out."""

    def __init__(self, jobs: ImportJobs, job: ImportJob, source: ImportSource, stopping: Callable[[], bool]) -> None:
        self.job = job
        self._jobs = jobs
        self._source = source
        self._stopping = stopping
        self._started = time.monotonic()

    def carry_out(self) -> None:
        """Stores the messages and writes the outcome."""
        try:
            self._bank_id = self._jobs._bank_id(self.job)
            self._note(state="running")
            counted = not_in(self._jobs._store.redaction_of(self.job.bank).rules)
            report = store_file(self, self._source, bank=self.job.bank, threads=1, counted=counted)  # requests go on
            self._end("done", report=report, done=self.job.messages)
        except _Cancelled:
            self._end("cancelled")
        except (_Stopped, Closed):
            self._end("stopped", error=Problem.of(STOPPED, STOPPED_DETAIL))
        except NotFound:  # the bank was erased, and the import with it
            self._end("cancelled")
        except FoxingError as error:
            self._end("failed", error=Problem.of(error.kind, str(error)))
        except Exception:
            log.exception("import '%s' into bank '%s' failed", self.job.id, self.job.bank)
            detail = f"this is a bug in Foxing; see the log of the service for the import {self.job.id}"
            self._end("failed", error=Problem.of(FoxingError.kind, detail))

    def prepare(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> "_Counted":
        """Prepares messages of the import; see `importer.PreparingStorage`."""
        self._raise_if_ended()
        call = StoreCall(bank, messages, bank_id=self._bank_id)
        return _Counted(self, self._jobs._store.prepare(call, self._jobs._now()), len(messages))

    def store(self, prepared: PreparedCall, messages: int) -> StoreResult:
        """Writes messages and notes the progress."""
        self._raise_if_ended()
        result = prepared.store()
        done = self.job.done + messages
        elapsed = time.monotonic() - self._started
        self._note(
            done=done,
            stored=self.job.stored + result.stored,
            duplicates=self.job.duplicates + result.duplicates,
            seconds_left=round(elapsed / done * (self.job.messages - done), 1),
        )
        return result

    def _raise_if_ended(self) -> None:
        """Raises `_Stopped` or `_Cancelled` if the import is to end."""
        if self._stopping():
            raise _Stopped
        self._jobs._bank_id(self.job)

    def _note(self, **changes: Any) -> None:
        self.job = self.job.model_copy(update={**changes, "updated_at": self._jobs._now()})
        self._jobs._write(self.job)

    def _end(self, state: str, **changes: Any) -> None:
        """Writes the outcome. If the database cannot be written any more, the lease expires instead."""
        try:
            self._note(state=state, seconds_left=None, **changes)
        except (_Cancelled, FoxingError) as error:
            log.warning("the outcome '%s' of import '%s' was not written: %s", state, self.job.id, error)


@dataclass(frozen=True)
class _Counted:
    """Messages of an import that are ready to be written."""

    running: _Running
    prepared: PreparedCall
    #: number of messages
    messages: int

    def store(self) -> StoreResult:
        """See `importer.Prepared`."""
        return self.running.store(self.prepared, self.messages)
