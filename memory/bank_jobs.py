"""Jobs that services carry out, with progress that every process can read: imports, and calls that take longer than a
request. Most belong to a bank; the erasure of a bank, or of what a person said in all banks, belongs to a tenant.

A process renews a lease on its jobs. A call whose lease has expired is resumed by the next process that looks, since
all of them are resumable; an import has stopped, since its file went with its process. A call that is made again while
its job has not ended gets that job.
"""

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Connection

from foxing.memory.access import Access, tenant_of
from foxing.memory.audit import audited, log_of, through
from foxing.memory.cursors import decode_cursor, encode_cursor, number_position
from foxing.memory.errors import Busy, Closed, NotFound
from foxing.memory.problems import Problem
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import bank_jobs, banks, messages
from foxing.memory.storage.repositories.bank_jobs import IMPORT, BankJobRow
from foxing.memory.storage.secrets import digest_key, keyed_digest
from foxing.memory.text.times import parse_since
from foxing.memory.values.base import Value, check_limit
from foxing.memory.values.imports import ImportJob
from foxing.memory.values.jobs import WITHOUT_BANK, Job, Jobs
from foxing.memory.values.persons import PersonErasure
from foxing.memory.values.policy import default_fields
from foxing.memory.values.reports import ErasureReport
from foxing.renderer.clock import utc_now
from foxing.renderer.errors import FoxingError, ProblemKind
from foxing.renderer.interruption import Interrupted, interruptible

LEASE = timedelta(seconds=60)
#: Seconds between two renewals of leases, and between two looks at whether jobs are to end.
RENEWAL_S = 20.0
WATCH_S = 1.0
#: Number of jobs of a tenant that may wait or run, and of times that a job begins: one may end its process each time.
MOST_UNFINISHED = 32
MOST_ATTEMPTS = 5
#: Seconds after which a call that was refused because of `MOST_UNFINISHED` may be made again.
BUSY_S = 10.0
STOPPED = ProblemKind("import-stopped", 503, "The import has stopped", retry="later")
STOPPED_DETAIL = "the service that carried out this import has ended; send the file again, which stores what is missing"
_TIMES = ("now", "since", "until")
#: Argument with the patterns of the banks of the caller.
_PATTERNS = "banks"

log = logging.getLogger(__name__)

#: A call of a memory: takes a bank, None for all, the options of the call and `progress`.
Verb = Callable[..., Value]
#: Kind of a job → what the audit log calls it, if not that.
_ACTIONS = {"erase_person": "person.erase"}


@dataclass(frozen=True)
class JobStart:
    """A job that a call started or found."""

    job: Job
    #: True if this process is to carry it out.
    is_own: bool


@dataclass
class _Own:
    """A job of this process."""

    row: BankJobRow
    #: True if another process began it.
    resumed: bool = False
    #: Set when it is to end: it was cancelled, its bank erased, or its lease lost.
    over: Event = field(default_factory=Event)
    #: Messages or pages that are complete, and in all; and as they were last written.
    done: int = 0
    total: int | None = None
    written: tuple[int, int | None] = (0, None)


@audited(lambda owner: owner._database)
class BankJobs:
    """Jobs of the banks and tenants of a database. Safe to share between threads."""

    def __init__(self, database: Database, now: Callable[..., datetime], verbs: Mapping[str, Verb]) -> None:
        """`now`: `Memory.now`. Leases count in real time. `verbs`: kind of a job → its call."""
        self._database = database
        self._now = now
        self._verbs = verbs
        #: Owner of the leases of this process.
        self._owner = uuid.uuid4().hex
        self._lock = Lock()
        self._own: dict[str, _Own] = {}
        self._watcher: Thread | None = None

    def start(self, bank: str | None, kind: str, options: Mapping[str, Any]) -> JobStart:
        """Starts a job, or finds the one that the same call has started and that has not ended. `bank`: None for all
        banks of the caller. `options`: of the call, as JSON. Raises `NotFound`, `InvalidTime`, and `Busy` if too many
        jobs of the tenant have not ended."""
        arguments = self._arguments(options)
        stated = {name: value for name, value in options.items() if value is not None}
        with self._database.write() as connection:
            bank_row = None
            if bank is None:
                bank_jobs.lock(connection)
                scope = _scope(Access.current())
            else:
                bank_row = banks.get(connection, bank)
                banks.lock(connection, bank_row.id)
                scope = {"bank_id": bank_row.id} if kind in WITHOUT_BANK else {}
            arguments |= scope
            request = hashlib.sha256(json.dumps([kind, stated | scope], sort_keys=True).encode()).digest()
            bank_id = None if bank_row is None or kind in WITHOUT_BANK else bank_row.id
            tenant = Access.current().tenant if bank_row is None else tenant_of(bank_row.name)
            digest = keyed_digest(digest_key(connection), request)
            row = bank_jobs.find_unfinished(connection, bank_id, tenant, digest)
            until = utc_now() + LEASE
            if row is not None:
                if row.is_leased(utc_now(), LEASE) or not bank_jobs.take(connection, row, self._owner, until):
                    return JobStart(self._job(row), is_own=False)
            else:
                if bank_jobs.count_of_tenant(connection, tenant) >= MOST_UNFINISHED:
                    raise Busy(f"{MOST_UNFINISHED} jobs wait or run; nothing was started, try again later").after(
                        BUSY_S
                    )
                arguments |= self._newest(connection, kind, bank_id)
                job: dict[str, Any] = {"done": 0, "total": None, "created_at": self._now().isoformat()}
                if bank_row is not None and bank_id is None:
                    job["bank"] = bank_row.name
                fields: dict[str, Any] = {
                    "options": arguments,
                    "digest": digest,
                    "key_id": Access.current().key_id,
                    "tenant": tenant,
                }
                row = self._new(kind, job, **fields)
                bank_jobs.add(connection, bank_id, row)
            name = row.bank if bank_row is None else bank_row.name
            row = replace(row, bank=name, lease_owner=self._owner, lease_until=until)
        self._enter(row, resumed=row.attempts > 0)
        return JobStart(self._job(row), is_own=True)

    def _newest(self, connection: Connection, kind: str, bank_id: int | None) -> dict[str, Any]:
        """Returns the arguments by which messages that are stored from now on stay."""
        if kind not in ("erase_thread", "erase_person"):
            return {}
        newest = messages.newest_of_all(connection) if bank_id is None else messages.newest_id(connection, bank_id)
        return {"newest": newest, "until": self._now().isoformat()}

    def take(self) -> Job | None:
        """Takes a job that no process has any more, for this one to carry out with `run`. None if there is none."""
        with self._database.read() as connection:
            row = bank_jobs.first_free(connection, utc_now(), LEASE, list(self._verbs))
        if row is None:
            return None
        with self._database.write() as connection:
            if not bank_jobs.take(connection, row, self._owner, utc_now() + LEASE):
                return None
        self._enter(row, resumed=True)
        return self._job(row)

    def run(self, job_id: str, stopping: Callable[[], bool]) -> Value | None:
        """Carries out a job of this process and returns its result; None if it was cancelled, or stopped. Raises the
        errors of its call.

        `stopping`: asked between two pages; when true, the job waits for the next process.
        """
        own = self._own[job_id]

        def is_over() -> bool:
            return own.over.is_set() or stopping()

        def progress(done: int, total: int) -> None:
            own.done = done
            own.total = total
            if done < total and is_over():
                raise Interrupted

        try:
            if not self._begin(own):
                return None
            with self._as_caller(own), interruptible(is_over):
                if is_over():
                    raise Interrupted
                result = self._result(own, progress)
                self._end(own, "done", result=_stored(result).model_dump(mode="json"))
            return result
        except Interrupted:
            if own.over.is_set():
                self._end(own, "cancelled")
            else:
                self._put_back(own)
        except Closed:
            self._put_back(own)
            raise
        except FoxingError as error:
            self._end(own, "failed", error=Problem.of(error.kind, str(error)).document())
            raise
        except Exception:
            log.exception("job '%s' of bank '%s' failed", own.row.kind, _bank_of(own.row))
            detail = f"this is a bug in Foxing; see the log of the service for the job {job_id}"
            self._end(own, "failed", error=Problem.of(FoxingError.kind, detail).document())
            raise
        finally:
            self.leave(job_id)
        return None

    def find(self, bank: str | None, job_id: str) -> Job:
        """Returns a job. `bank`: None for one of any bank of the caller, or of none. Raises `NotFound`."""
        return self.look(bank, job_id)

    def look(self, bank: str | None, job_id: str) -> Job:
        """Returns a job, as `find` does, for one who waits and looks often."""
        return self._job(self.row(bank, job_id))

    def list(self, bank: str, *, limit: int = 50, cursor: str | None = None) -> Jobs:
        """Returns the jobs of a bank, the newest first. Those that have ended are the newest 100. `limit`: 1 to 500.
        Raises `NotFound`, `InvalidInput`, `InvalidCursor`."""
        check_limit(limit)
        with self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            name = f"jobs:{bank_id}"
            before = number_position(decode_cursor(cursor, name)) if cursor else None
            rows = bank_jobs.list_before(connection, bank_id, before, limit + 1)
        following = encode_cursor(name, [rows[limit - 1].id]) if len(rows) > limit else None
        return Jobs(jobs=[self._job(row) for row in rows[:limit]], next_cursor=following)

    def cancel(self, bank: str | None, job_id: str) -> Job:
        """Asks a job to end between two pages or batches, and returns it; what is complete stays. Does nothing to one
        that has ended. Raises `NotFound`."""
        row = self.row(bank, job_id)
        if not self._job(row).is_over:
            with self._database.write() as connection:
                bank_jobs.cancel(connection, job_id)
                if row.kind != IMPORT and not row.is_leased(utc_now(), LEASE):  # nobody has it
                    self._update(connection, row, "cancelled")
            with self._lock:
                if job_id in self._own:
                    self._own[job_id].over.set()
        return self.look(bank, job_id)

    def counts(self) -> dict[tuple[str, str], int]:
        """Returns (kind, state) → the number of jobs that have not ended."""
        with self._database.read() as connection:
            return bank_jobs.counts(connection)

    def release(self) -> None:
        """Puts back the jobs of this process that have not begun, for another one."""
        with self._lock:
            waiting = list(self._own.values())
        for own in waiting:
            if own.row.kind != IMPORT:
                self._put_back(own)
                self.leave(own.row.key)

    def row(self, bank: str | None, job_id: str, kind: str | None = None) -> BankJobRow:
        """Returns the row of a job. `bank`: see `find`. `kind`: that it must have. Raises `NotFound`."""
        with self._database.read() as connection:
            if bank is None:
                row = bank_jobs.find(connection, job_id)
            else:
                row = bank_jobs.find_in_bank(connection, banks.get(connection, bank).id, job_id)
        if row is None or kind not in (None, row.kind) or not _is_of(row, Access.current()):
            what = "import" if kind == IMPORT else "job"
            place = "" if bank is None else " in this bank"
            raise NotFound(
                f"there is no {what} '{job_id}'{place}; of those that have ended, the newest {bank_jobs.KEPT} of a "
                "bank are kept"
            )
        return row

    def add_import(self, job: ImportJob) -> None:
        """Adds an import that this process carries out, creating its bank if necessary."""
        with self._database.write() as connection:
            bank = banks.get_or_create(connection, job.bank, job.created_at, default_fields())
            row = self._new(IMPORT, job.model_dump(mode="json"), key=job.id, tenant=tenant_of(bank.name))
            bank_jobs.add(connection, bank.id, row)
        self._enter(row)

    def write_import(self, job: ImportJob) -> bool:
        """Writes the state and the fields of an import of this process. Returns False if it is gone."""
        with self._database.write() as connection:
            values = {"state": str(job.state), "lease_until": utc_now() + LEASE, "job": job.model_dump(mode="json")}
            return bank_jobs.update(connection, self._owner, job.id, **values)

    def leave(self, job_id: str) -> None:
        """Forgets a job of this process that has ended."""
        with self._lock:
            self._own.pop(job_id, None)

    def _new(self, kind: str, job: dict[str, Any], key: str | None = None, **fields: Any) -> BankJobRow:
        return BankJobRow(key or uuid.uuid4().hex, kind, "waiting", self._owner, utc_now() + LEASE, job, **fields)

    def _arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of a call, as JSON, with the times that words name now. Raises `InvalidTime`."""
        timezone = options.get("timezone")
        now = options.get("now")
        since = options.get("since")
        at = self._now(now, timezone)
        arguments = {name: value for name, value in options.items() if name != "timezone" and value is not None}
        if now is not None:
            arguments["now"] = at.isoformat()
        if isinstance(since, str):
            arguments["since"] = parse_since(since, at, timezone).isoformat()
        return arguments

    def _job(self, row: BankJobRow) -> Job:
        """Returns a job as users see it."""
        fields = row.job
        state = row.state
        if row.kind == IMPORT:
            imported = import_of(row)
            ended = imported.updated_at if imported.is_over else None
            fields = {
                "done": imported.done,
                "total": imported.messages,
                "created_at": imported.created_at,
                "started_at": None if imported.state == "waiting" else imported.created_at,
                "ended_at": ended,
                "error": imported.error,
                "result": imported.report,
            }
            state = str(imported.state)
        elif state == "running" and not row.is_leased(utc_now(), LEASE):
            state = "waiting"
        empty = {"started_at": None, "ended_at": None, "error": None, "result": None}
        attempts = 1 if row.kind == IMPORT and state != "waiting" else row.attempts
        identity = {"id": row.key, "bank": _bank_of(row), "kind": row.kind, "state": state, "attempts": attempts}
        return Job.model_validate({**empty, **fields, **identity})

    def _begin(self, own: _Own) -> bool:
        """Notes that a job begins. Returns False if it is gone or was cancelled, or has ended its process too often."""
        row = own.row
        if row.cancelled or own.over.is_set():
            self._end(own, "cancelled")
            return False
        if row.attempts >= MOST_ATTEMPTS:
            detail = f"the process that carried out this job has ended {row.attempts} times; see the log of the service"
            self._end(own, "failed", error=Problem.of(FoxingError.kind, detail).document())
            return False
        job = {**row.job, "done": 0, "total": None}
        job.setdefault("started_at", self._now().isoformat())
        own.row = replace(row, state="running", attempts=row.attempts + 1, job=job)
        with self._database.write() as connection:
            values = {"state": "running", "attempts": own.row.attempts, "lease_until": utc_now() + LEASE, "job": job}
            return bank_jobs.update(connection, self._owner, row.key, **values)

    def _result(self, own: _Own, progress: Callable[[int, int], None]) -> Value:
        row = own.row
        bank = _bank_of(row)
        options = {
            name: datetime.fromisoformat(value) if name in _TIMES else value
            for name, value in (row.options or {}).items()
            if name != _PATTERNS
        }
        try:
            return self._verbs[row.kind](bank, **options, progress=progress)
        except NotFound:  # all may have been erased before the process ended
            if row.attempts == 1:
                raise
            if row.kind == "erase_thread":
                with self._database.read() as connection:  # raises if it is the bank that is gone
                    banks.get(connection, bank or "")
            elif row.kind == "erase_person":
                return PersonErasure(
                    person=options["person"],
                    mentions=options["mentions"],
                    dry_run=False,
                    messages=0,
                    remaining=0,
                    banks=[],
                    log_erased=False,
                )
            elif row.kind != "erase_bank":
                raise
            return ErasureReport(bank=bank or "", messages=0, pages=[], bytes_before=0, bytes_after=0, log_erased=False)

    def _as_caller(self, own: _Own) -> AbstractContextManager[object]:
        """Records the block as the call that started the job, by its caller."""
        row = own.row
        options = row.options or {}
        stack = ExitStack()
        if own.resumed:
            access = Access(banks=options.get(_PATTERNS), tenant=row.tenant, key_id=row.key_id)
            stack.enter_context(access.limiting())
            stack.enter_context(through("http"))
        audit = log_of(self._database)
        subject = next((options[name] for name in ("thread", "page", "person") if options.get(name)), None)
        action = _ACTIONS.get(row.kind, row.kind)
        call = None if audit is None else audit.call(action, "change", _bank_of(row), subject, None)
        stack.enter_context(nullcontext() if audit is None or call is None else audit.recording(call))
        return stack

    def _end(self, own: _Own, state: str, **fields: Any) -> None:
        """Writes the outcome of a job, unless it is gone. If the database cannot be written, its lease expires."""
        own.row = replace(own.row, job={**own.row.job, "done": own.done, "total": own.total, **fields})
        try:
            with self._database.write() as connection:
                self._update(connection, own.row, state)
        except FoxingError as error:
            log.warning("the outcome '%s' of job '%s' was not written: %s", state, own.row.key, error)

    def _update(self, connection: Connection, row: BankJobRow, state: str) -> None:
        job = {**row.job, "ended_at": self._now().isoformat()}
        values = {"state": state, "job": job, "options": None, "digest": None}
        bank_jobs.update(connection, row.lease_owner, row.key, **values)

    def _put_back(self, own: _Own) -> None:
        """Lets another process take a job at once. If the database cannot be written, its lease expires instead."""
        attempts = own.row.attempts - (own.row.state == "running")
        values = {"state": "waiting", "attempts": max(attempts, 0), "lease_until": utc_now()}
        try:
            with self._database.write() as connection:
                bank_jobs.update(connection, self._owner, own.row.key, **values)
        except FoxingError as error:
            log.warning("job '%s' waits until its lease expires: %s", own.row.key, error)

    def _enter(self, row: BankJobRow, *, resumed: bool = False) -> None:
        with self._lock:
            self._own[row.key] = _Own(replace(row, lease_owner=self._owner), resumed)
            if self._watcher is None:
                self._watcher = Thread(target=self._watch, name="jobs of banks", daemon=True)
                self._watcher.start()

    def _watch(self) -> None:
        """Renews leases, writes progress, and notices what is to end, for as long as this process has jobs."""
        renewed_at = time.monotonic()
        while True:
            time.sleep(WATCH_S)
            with self._lock:
                own = dict(self._own)
                if not own:
                    self._watcher = None
                    return
            is_due = time.monotonic() - renewed_at >= RENEWAL_S
            try:
                self._note(own, renews=is_due)
            except FoxingError:  # the next renewal may succeed
                continue
            if is_due:
                renewed_at = time.monotonic()

    def _note(self, own: Mapping[str, _Own], *, renews: bool) -> None:
        with self._database.read() as connection:
            current = bank_jobs.running_keys(connection, self._owner, own)
        for key, item in own.items():
            if key not in current:
                item.over.set()
        advanced = [item for item in own.values() if item.row.kind != IMPORT and _figures(item) != item.written]
        if not advanced and not renews:
            return
        with self._database.write() as connection:
            for item in advanced:
                done, total = item.written = _figures(item)
                job = {**item.row.job, "done": done, "total": total}
                bank_jobs.update(connection, self._owner, item.row.key, job=job)
            if renews:
                bank_jobs.extend(connection, self._owner, utc_now() + LEASE)


def _figures(own: _Own) -> tuple[int, int | None]:
    return own.done, own.total


def _scope(access: Access) -> dict[str, Any]:
    """Returns the arguments that say which banks exist for a caller."""
    return {} if access.banks is None else {_PATTERNS: list(access.banks)}


def _bank_of(row: BankJobRow) -> str | None:
    """Full name of the bank that a job concerns, which it may have erased; None for all."""
    name: str | None = row.bank if row.has_bank else row.job.get("bank")
    return name


def _is_of(row: BankJobRow, access: Access) -> bool:
    """Returns True if a job exists for a caller. One in all banks exists for a key of some banks if that started it."""
    bank = _bank_of(row)
    if bank is not None:
        return access.sees(bank)
    return access.tenant in (None, row.tenant) and (access.banks is None or access.key_id == row.key_id)


def _stored(result: Value) -> Value:
    """Returns a result without what it has of erased words."""
    if not isinstance(result, PersonErasure):
        return result
    parts = [part.model_copy(update={"threads": []}) for part in result.banks]
    return result.model_copy(update={"person": "", "banks": parts})


def import_of(row: BankJobRow) -> ImportJob:
    """Returns an import; one whose process has ended has stopped."""
    job = ImportJob.model_validate(row.job)
    if job.is_over or row.is_leased(utc_now(), LEASE):
        return job
    return job.model_copy(update={"state": "stopped", "error": Problem.of(STOPPED, STOPPED_DETAIL)})
