"""Audit log: who did what and when, without words, in a chain of hashes.

A change is recorded in the first transaction that it commits. Reads, failed calls and refused requests are collected
and written with the next batch, within `BATCH_S`: a killed process loses these alone. The same batch joins all new
events to the chain. Of the requests that are refused to one caller, or to all without a key, `REFUSALS_PER_S` are
recorded, and the others counted.
"""

import hashlib
import json
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from threading import Condition, Lock, Thread
from typing import Any, Literal, TypeAlias
from weakref import WeakSet

from sqlalchemy import Connection

from foxing.renderer.errors import FoxingError

from .access import Access, tenant_of
from .cursors import decode_cursor, encode_cursor, number_position
from .storage.database import Database
from .storage.repositories import audit as repository
from .storage.repositories.audit import NO_HASH, AuditRow, Chain
from .storage.secrets import digest_key, keyed_digest
from .values.audit import AuditDoor, AuditEvent, AuditEvents, AuditLevel, AuditVerification
from .values.base import check_limit

#: Seconds within which collected events are written.
BATCH_S = 1.0
BATCH_EVENTS = 500
#: Maximum number of collected events; of those beyond it, the log keeps the number alone.
MAX_COLLECTED = 10_000
PURGE_INTERVAL = timedelta(hours=1)
#: Refused requests of one caller that are recorded: at once, and a second.
REFUSALS_AT_ONCE = 30
REFUSALS_PER_S = 1.0
DONE = "done"

#: Whether a call changes something, reads what a bank holds, or is not recorded.
Kind: TypeAlias = Literal["change", "read", "none"]

_BANK = re.compile(r"[A-Za-z0-9._:@~-]{1,251}")
_GENERATED = re.compile(r"[0-9a-f]{8}|[0-9a-f]{32}")
#: Parameters that name what a call concerns.
_SUBJECTS = ("message_id", "thread", "page_id", "page", "key_id", "job_id", "hold_id", "person", "fact_id")

log = logging.getLogger(__name__)
_door: ContextVar[AuditDoor | None] = ContextVar("door", default=None)
_current: ContextVar["AuditCall | None"] = ContextVar("audit_call", default=None)


@contextmanager
def through(door: AuditDoor) -> Iterator[None]:
    """Records the calls of the block as made through a door."""
    token = _door.set(door)
    try:
        yield
    finally:
        _door.reset(token)


@dataclass
class AuditCall:
    """A call in progress."""

    row: AuditRow
    kind: Kind
    #: True once the event is committed.
    recorded: bool = False


@dataclass
class _Refusals:
    """Refused requests of one caller."""

    #: Number that may be recorded, at the monotonic time `at`.
    room: float
    at: float
    #: Number that was not recorded, since it was last written.
    unrecorded: int = 0


class AuditLog:
    """The audit log of a database."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        level: AuditLevel,
        days: int | None,
        door: AuditDoor = "python",
    ) -> None:
        """`days`: days for which events are kept; None for ever. `door`: of calls for which no other is named."""
        self._database = database
        self._now = now
        self._level = level
        self._days = days
        self._door: AuditDoor = door
        self._collected: deque[AuditRow] = deque()
        self._lost = 0
        #: Tenant and key of a caller → its refused requests; none of both for callers that are not known.
        self._refusals: dict[tuple[str | None, str | None], _Refusals] = {}
        #: Errors that have been recorded.
        self._failures: WeakSet[BaseException] = WeakSet()
        self._purged_at: datetime | None = None
        self._waiting = Condition()
        self._due = False
        self._closed = False
        self._thread: Thread | None = None
        self._flushing = Lock()
        if level != "off":
            database.audit = self
            database.before_commit = self._before_commit

    @property
    def level(self) -> AuditLevel:
        """Calls that are recorded: those that change something, all, or none."""
        return self._level

    def call(self, action: str, kind: Kind, bank: str | None, subject: str | None, items: int | None) -> AuditCall:
        """Returns the record of a call of the current caller."""
        access = Access.current()
        full = access.full_name(bank) if bank is not None else None
        full = full if full is not None and _BANK.fullmatch(full) else None
        tenant = access.tenant if full is None else tenant_of(full)
        digest = None if subject is None else self._subject(subject)
        row = AuditRow(self._now(), tenant, access.key_id, _door.get() or self._door, action, full, digest, items, DONE)
        return AuditCall(row, kind)

    def store_call(self, context: Context, bank: str, items: int) -> AuditCall:
        """Returns the record of a store in the context of its caller: that of the call that stores, if there is one."""
        running = context.get(_current)
        return context.copy().run(self.call, "store", "change", bank, None, items) if running is None else running

    @contextmanager
    def recording(self, call: AuditCall) -> Iterator[None]:
        """Records the block as a call; calls inside are part of it."""
        if _current.get() is not None or not self.records(call.kind):
            yield
            return
        token = _current.set(call)
        try:
            yield
        except BaseException as error:
            self.fail(call, error)
            raise
        else:
            self.end(call)
        finally:
            _current.reset(token)

    def records(self, kind: Kind) -> bool:
        """Returns True if calls of a kind are recorded."""
        return kind == "change" or (kind == "read" and self._level == "all")

    def end(self, call: AuditCall) -> None:
        """Records a call that has returned, if no commit has."""
        if call.recorded:
            return
        if call.kind == "change":
            token = _current.set(None)
            try:
                with self._database.write() as connection:
                    repository.insert(connection, [call.row])
            finally:
                _current.reset(token)
            call.recorded = True
            self._wake()
        else:
            self._collect(call.row)

    def fail(self, call: AuditCall, error: BaseException) -> None:
        """Records the failure of a call."""
        outcome = error.problem if isinstance(error, FoxingError) else "interrupted"
        self._failures.add(error)
        self._collect(call.row._replace(outcome=outcome))

    def refuse(self, route: str, access: Access | None, bank: str | None, error: FoxingError) -> None:
        """Records a request that was refused, unless the call that it made is recorded. `route`: its method and path
        without names. `access`: that of the caller, None for one who is not known, of whom nothing else is recorded."""
        if self._level == "off" or error in self._failures:
            return
        tenant = None if access is None else access.tenant
        key_id = None if access is None else access.key_id
        if not self._has_room((tenant, key_id)):
            self._wake()
            return
        full = None if access is None or bank is None else access.full_name(bank)
        full = full if full is not None and _BANK.fullmatch(full) else None
        door = _door.get() or self._door
        self._collect(AuditRow(self._now(), tenant, key_id, door, route[:40], full, None, None, error.problem))

    def _has_room(self, caller: tuple[str | None, str | None]) -> bool:
        """Returns True if a refused request of a caller is to be recorded, and counts it otherwise."""
        now = time.monotonic()
        with self._waiting:
            refusals = self._refusals.setdefault(caller, _Refusals(REFUSALS_AT_ONCE, now))
            refusals.room = min(REFUSALS_AT_ONCE, refusals.room + (now - refusals.at) * REFUSALS_PER_S)
            refusals.at = now
            if refusals.room < 1:
                refusals.unrecorded += 1
                return False
            refusals.room -= 1
            return True

    def _unrecorded(self) -> list[AuditRow]:
        """Returns events with the numbers of refused requests that were not recorded, which are then written."""
        rows = []
        with self._waiting:
            for (tenant, key_id), refusals in self._refusals.items():
                if refusals.unrecorded:
                    fields = (self._now(), tenant, key_id, self._door, "refused.unrecorded", None, None)
                    rows.append(AuditRow(*fields, refusals.unrecorded, DONE))
                    refusals.unrecorded = 0
        return rows

    @contextmanager
    def work(self, action: str, bank: str | None) -> Iterator[None]:
        """Records the block as a job, if it commits anything or fails, also within a call."""
        if self._level == "off":
            yield
            return
        with through("job"):
            call = self.call(action, "change", bank, None, None)
        token = _current.set(call)
        try:
            yield
        except FoxingError as error:
            self.fail(call, error)
            raise
        finally:
            _current.reset(token)

    def insert(self, connection: Connection, rows: Sequence[AuditRow]) -> None:
        """Inserts the events of calls in a transaction of theirs."""
        repository.insert(connection, rows)
        self._wake()

    def _before_commit(self, connection: Connection) -> Callable[[], object]:
        call = _current.get()
        if call is None or call.kind != "change" or call.recorded:
            return _nothing
        repository.insert(connection, [call.row])

        def committed() -> None:
            call.recorded = True
            self._wake()

        return committed

    def _subject(self, subject: str) -> str:
        if _GENERATED.fullmatch(subject):
            return subject
        with self._database.read() as connection:
            key = digest_key(connection)
        return keyed_digest(key, hashlib.sha256(subject.encode("utf-8", "surrogatepass")).digest()).hex()[:31]

    def _collect(self, row: AuditRow) -> None:
        if len(self._collected) < MAX_COLLECTED:
            self._collected.append(row)
        else:
            self._lost += 1
        self._wake()

    def _wake(self) -> None:
        if self._due:
            return
        with self._waiting:
            self._due = True
            if self._thread is None and not self._closed:
                self._thread = Thread(target=self._run, name="foxing-audit", daemon=True)
                self._thread.start()
            self._waiting.notify()

    def _run(self) -> None:
        while True:
            with self._waiting:
                self._waiting.wait_for(lambda: self._due or self._closed)
                if not self._closed:
                    self._waiting.wait_for(lambda: self._closed, BATCH_S)
                if self._closed:
                    return
                self._due = False
            try:
                self.flush()
            except FoxingError as error:
                log.warning("audit events wait to be written: %s", error)
                with self._waiting:
                    self._due = True

    def flush(self) -> None:
        """Writes collected events, joins all new ones to the chain, and purges those that are too old. Raises
        `StorageError`; collected events wait for the next call then."""
        token = _current.set(None)
        try:
            with self._flushing, Access().limiting():  # events of all tenants, whoever has them written
                while self._flush_batch():
                    pass
                self._purge_old()
        finally:
            _current.reset(token)

    def _flush_batch(self) -> bool:
        """Joins a batch. Returns True if there may be more."""
        for row in self._unrecorded():
            self._collected.append(row)
        collected = [self._collected.popleft() for _ in range(min(BATCH_EVENTS, len(self._collected)))]
        lost = self._lost
        if lost:
            collected.append(AuditRow(self._now(), None, None, "python", "audit.lost", None, None, lost, DONE))
        try:
            with self._database.write() as connection:
                chain = repository.lock_chain(connection)
                pending = repository.unchained(connection, BATCH_EVENTS)
                chain, joined = _joined(chain, [row for _, row in pending])
                if joined:
                    repository.join(connection, [(key, row) for (key, _), row in zip(pending, joined, strict=True)])
                chain, added = _joined(chain, collected)
                if added:
                    repository.insert(connection, added)
                if added or joined:
                    repository.set_chain(connection, chain)
        except BaseException:
            self._collected.extendleft(reversed(collected[: len(collected) - bool(lost)]))
            raise
        self._lost -= lost
        return len(pending) == BATCH_EVENTS or bool(self._collected)

    def _purge_old(self) -> None:
        now = self._now()
        if self._days is None or (self._purged_at is not None and now - self._purged_at < PURGE_INTERVAL):
            return
        self._purged_at = now
        with self._database.write() as connection:
            chain = repository.lock_chain(connection)
            purged = repository.purge(connection, chain, now - timedelta(days=self._days))
            if purged != chain:
                repository.set_chain(connection, purged)

    def close(self) -> None:
        """Writes what is collected, and ends the thread. Idempotent."""
        with self._waiting:
            unrecorded = any(refusals.unrecorded for refusals in self._refusals.values())
            pending = (self._due or bool(self._collected) or unrecorded) and not self._closed
            self._closed = True
            self._waiting.notify_all()
        if self._thread is not None:
            self._thread.join()
        if pending or self._collected:
            try:
                self.flush()
            except FoxingError as error:
                log.warning("the last audit events were not written: %s", error)

    def list(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        bank: str | None = None,
        action: str | None = None,
        key_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> AuditEvents:
        """Returns events in the order of the chain, or newest first: those of the tenant of the caller, or all.
        `limit`: 1 to 500. Raises `InvalidInput`, `InvalidCursor`."""
        check_limit(limit)
        access = Access.current()
        order = "audit.newest" if newest_first else "audit"
        after = number_position(decode_cursor(cursor, order)) if cursor else None
        self.flush()
        with self._database.read() as connection:
            rows = repository.list_after(
                connection,
                after,
                limit + 1,
                tenant=access.tenant,
                bank=None if bank is None else access.full_name(bank),
                action=action,
                key_id=key_id,
                since=since,
                until=until,
                newest_first=newest_first,
            )
        following = encode_cursor(order, [rows[limit - 1].number]) if len(rows) > limit else None
        return AuditEvents(events=[_event(row) for row in rows[:limit]], next_cursor=following)

    def verify(self, *, number: int | None = None, hash: str | None = None) -> AuditVerification:
        """Verifies the chain. `number`, `hash`: those of an event that was noted earlier, which must be in the chain.
        A restored backup ends before later ones."""
        self.flush()
        with Access().limiting(), self._database.read() as connection:
            chain = repository.find_chain(connection) or Chain()
            end = Chain(chain.purged, chain.purged_hash, chain.purged, chain.purged_hash)
            anchored = number is None or number < chain.purged or (number, hash) == (end.number, end.hash.hex())
            while rows := repository.list_after(connection, end.number - (end.number > chain.purged), BATCH_EVENTS):
                if end.number > chain.purged:
                    rows = rows[1:] if rows[0].hash == end.hash else rows
                if not rows:
                    break
                for row in rows:
                    if row.number != end.number + 1:
                        return _broken(chain, end, f"the next event has the number {row.number}")
                    if row.hash != _digest(end.hash, row.number, row):
                        return _broken(chain, end, "the event was changed or moved")
                    end = end._replace(number=row.number, hash=row.hash or NO_HASH)
                    if row.number == number:
                        if end.hash.hex() != hash:
                            return _broken(chain, end._replace(number=number - 1), "it is not the event that was noted")
                        anchored = True
        if (end.number, end.hash) != (chain.number, chain.hash):
            return _broken(chain, end, f"the chain has {chain.number} events, and those from here on are missing")
        if not anchored:
            return _broken(chain, end, f"the event {number} that was noted is missing; the database may be a backup")
        return AuditVerification(
            intact=True,
            events=end.number - chain.purged,
            purged=chain.purged,
            number=end.number,
            hash=end.hash.hex(),
            broken_at=None,
            reason=None,
        )


def _nothing() -> None:
    pass


def _joined(chain: Chain, rows: "list[AuditRow]") -> "tuple[Chain, list[AuditRow]]":
    """Returns the chain with events at its end, and these with their numbers and hashes."""
    number = chain.number
    digest = chain.hash
    joined = []
    for row in rows:
        number += 1
        digest = _digest(digest, number, row)
        joined.append(row._replace(number=number, hash=digest))
    return chain._replace(number=number, hash=digest), joined


def _digest(previous: bytes, number: int, row: AuditRow) -> bytes:
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    who = [number, at, row.tenant, row.key_id, row.door]
    fields = json.dumps([*who, row.action, row.bank, row.subject, row.items, row.outcome])
    return hashlib.sha256(previous + fields.encode()).digest()


def _event(row: AuditRow) -> AuditEvent:
    return AuditEvent.model_validate({**row._asdict(), "hash": (row.hash or NO_HASH).hex()})


def _broken(chain: Chain, end: Chain, reason: str) -> AuditVerification:
    return AuditVerification(
        intact=False,
        events=end.number - chain.purged,
        purged=chain.purged,
        number=end.number,
        hash=end.hash.hex(),
        broken_at=end.number + 1,
        reason=reason,
    )


#: Class → method → action and kind. A public method that is missing here fails a test.
CALLS: Mapping[str, Mapping[str, Kind]] = {
    "Memory": {
        **dict.fromkeys(
            (
                "fold",
                "record_model_calls",
                "seal",
                "age",
                "tick",
                "undo",
                "erase_message",
                "erase_thread",
                "erase_bank",
            ),
            "change",
        ),
        **dict.fromkeys(("pin", "set_policy", "export"), "change"),
        **dict.fromkeys(("pin_fact", "correct_fact", "dismiss_fact"), "change"),
        "facts": "read",
        **dict.fromkeys(("message", "recall", "recall_images", "context", "fetch", "savings", "pages", "page"), "read"),
        **dict.fromkeys(("page_image", "read_page", "preview_page", "page_tokens", "banks", "threads", "bank"), "read"),
        "policy": "read",
        # recorded by `MessageStore`, for each call of a shared transaction
        "store": "none",
        **dict.fromkeys(("close", "now", "check"), "none"),
    },
    "Operations": {
        **dict.fromkeys(("compress", "reencode", "reindex", "export_markdown"), "change"),
        "rename_thread": "change",
        **dict.fromkeys(("retrieve", "newest_banks", "preview_policy", "thread", "message_days"), "read"),
        **dict.fromkeys(
            ("import_parts", "load", "warm", "prepare", "dry_run", "sizes", "store_each", "embed_new"), "none"
        ),
    },
    "RecordStore": {"write": "change", "get": "read", "search": "read", "namespaces": "read"},
    "ApiKeys": {
        **dict.fromkeys(("create", "revoke", "rotate"), "change"),
        "list": "read",
        **dict.fromkeys(("live", "note_uses"), "none"),
    },
    "ImportJobs": {
        **dict.fromkeys(("add", "cancel"), "change"),
        "find": "read",
        **dict.fromkeys(("check", "preview", "run"), "none"),
    },
    # a job is recorded as the call that it carries out
    "BankJobs": {
        "cancel": "change",
        **dict.fromkeys(("find", "list"), "read"),
        **dict.fromkeys(("start", "take", "run", "look", "counts", "release", "row"), "none"),
        **dict.fromkeys(("add_import", "write_import", "leave"), "none"),
    },
    # a release is recorded by `MessageStore`, in its transaction
    "Quarantine": {"list": "read", **dict.fromkeys(("count", "waiting"), "none"), "release": "none", "erase": "change"},
    "Persons": {"erase": "change", "export": "change", "erase_until": "none"},
    "LegalHolds": {"set": "change", "release": "change", "list": "read"},
    "Bundles": {**dict.fromkeys(("export", "load", "copy", "rename"), "change"), "check": "none"},
    "TenantLimits": {
        "set": "change",
        **dict.fromkeys(("get", "usage"), "read"),
        **dict.fromkeys(
            ("is_current", "is_known", "add_image_tokens", "refresh", "admit", "recall", "write", "in_transaction"),
            "none",
        ),
    },
}


def log_of(database: Database) -> AuditLog | None:
    """Returns the audit log of the calls on a database; None if they are not recorded."""
    log: AuditLog | None = database.audit
    return log


_PREFIXES = {
    "RecordStore": "records.",
    "ApiKeys": "keys.",
    "ImportJobs": "import.",
    "BankJobs": "jobs.",
    "Quarantine": "quarantine.",
    "Persons": "person.",
    "LegalHolds": "holds.",
    "Bundles": "bundle.",
    "TenantLimits": "limits.",
}


def audited(database_of: Callable[[Any], Database]) -> Callable[[type], Any]:
    """Returns a decorator of classes whose methods are in `CALLS`; these are recorded if the database has an audit
    log."""

    def decorate(owner: type) -> type:
        for name, kind in CALLS[owner.__name__].items():
            if kind != "none":
                action = _PREFIXES.get(owner.__name__, "") + name
                setattr(owner, name, _recorded(getattr(owner, name), action, kind, database_of))
        return owner

    return decorate


def _recorded(
    method: Callable[..., Any], action: str, kind: Kind, database_of: Callable[[Any], Database]
) -> Callable[..., Any]:
    names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    is_dry = bool((method.__kwdefaults__ or {}).get("dry_run"))

    @wraps(method)
    def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
        audit = log_of(database_of(owner))
        if audit is None or not audit.records(kind) or kwargs.get("dry_run", is_dry):
            return method(owner, *args, **kwargs)
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        bank = arguments.get("bank")
        subject = next((arguments[name] for name in _SUBJECTS if isinstance(arguments.get(name), str)), None)
        record = audit.call(action, kind, bank if isinstance(bank, str) else None, subject, None)
        with audit.recording(record):
            return method(owner, *args, **kwargs)

    return call
