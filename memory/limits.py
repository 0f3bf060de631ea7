"""UsageLimits of tenants, and usage by day."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, NamedTuple

from sqlalchemy import Connection

from .access import Access
from .audit import audited
from .errors import Forbidden, LimitReached, QuotaReached, StorageError
from .storage.database import Database
from .storage.repositories import usage
from .storage.repositories.usage import UsageKey
from .values.limits import UsageLimits, UsageOfDay, UsageReport

#: Seconds after which the limits of a tenant are read again: a change applies to all processes no later.
REREAD_S = 5.0
#: Seconds that a recall refused because of others at the same time waits.
RECALL_PAUSE_S = 1.0
#: Days of usage that are returned by default.
USAGE_DAYS = 30


class _Holder(NamedTuple):
    """Tenant that has a limit, or key of it; empty for none."""

    tenant: str
    key_id: str = ""

    def __str__(self) -> str:
        return f"the key {self.key_id}" if self.key_id else _name(self.tenant)


@dataclass
class _Bucket:
    """Token bucket of a tenant or a key in this process."""

    tokens: float
    at: float


@audited(lambda owner: owner._database)
class TenantLimits:
    """UsageLimits of the tenants of a database, and their usage."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._lock = Lock()
        #: Tenant → its limits, and the monotonic time at which they were read.
        self._read: dict[str, tuple[UsageLimits, float]] = {}
        #: Tenant or key → its bucket, and the number of its recalls in progress.
        self._buckets: dict[_Holder, _Bucket] = {}
        self._recalls = Counter[_Holder]()
        self._counts: dict[UsageKey, Counter[str]] = {}

    def get(self, tenant: str | None) -> UsageLimits:
        """Returns the limits of a tenant, or of callers without one. Raises `Forbidden` for another tenant's admin."""
        _check_tenant(tenant)
        with self._database.read() as connection:
            return self._fetch(connection, tenant or "")

    def set(self, tenant: str | None, limits: UsageLimits | Mapping[str, Any]) -> UsageLimits:
        """Sets the limits of a tenant, or of callers without one, and returns them. Raises `Forbidden` for a caller of
        a tenant, and `InvalidInput`."""
        if Access.current().tenant is not None:
            raise Forbidden("limits are set by an operator, whose key belongs to no tenant; use another key")
        limits = limits if isinstance(limits, UsageLimits) else UsageLimits.from_fields(limits)
        with self._database.write() as connection:
            usage.set_limits(connection, tenant or "", limits.model_dump(exclude_none=True), self._now())
        with self._lock:
            self._read.pop(tenant or "", None)
        return limits

    def usage(self, *, days: int = USAGE_DAYS) -> UsageReport:
        """Returns the usage of the last days by day, tenant and key: of all tenants for an operator, else of the
        caller's. Messages and bytes are exact; requests, recalls and tokens of images lack those of the last second,
        and for good those of the last second of a process that was killed."""
        self.write()
        since = self._now().date() - timedelta(days=days - 1)
        with self._database.read() as connection:
            rows = usage.rows(connection, Access.current().tenant, since)
        return UsageReport(
            rows=[
                UsageOfDay(
                    day=row.day,
                    tenant=row.tenant or None,
                    key_id=row.key_id or None,
                    **{name: getattr(row, name) for name in usage.COUNTERS},
                )
                for row in rows
            ]
        )

    def is_current(self, access: Access) -> bool:
        """Returns True if `admit` and `recall` need not read the limits of a caller's tenant."""
        with self._lock:
            last = self._read.get(access.tenant or "")
        return last is not None and time.monotonic() - last[1] < REREAD_S

    def is_known(self, access: Access) -> bool:
        """Returns True if the limits of a caller's tenant have been read before."""
        with self._lock:
            return (access.tenant or "") in self._read

    def refresh(self, access: Access) -> None:
        """Reads the limits of a caller's tenant, unless that was done lately. While the database cannot be read, those
        that were read last apply. Raises `StorageError` if they have never been read."""
        tenant = access.tenant or ""
        try:
            self._current(tenant)
        except StorageError:
            if tenant not in self._read:
                raise

    def admit(self, access: Access) -> None:
        """Counts a request. Raises `LimitReached` if its tenant or its key has sent too many."""
        limits = self._last(access.tenant or "")
        with self._lock:
            for holder, rate in _limits_of(access, access.requests_per_s, limits.requests_per_s):
                self._take(holder, rate)
            self._count(access, "requests")

    @contextmanager
    def recall(self) -> Iterator[None]:
        """Counts a recall, in the block. Raises `LimitReached` if its tenant or its key has too many in progress."""
        access = Access.current()
        limit_of_tenant = self._last(access.tenant or "").recalls_at_once
        limits = list(_limits_of(access, access.recalls_at_once, limit_of_tenant))
        with self._lock:
            for holder, limit in limits:
                if self._recalls[holder] >= limit:
                    raise LimitReached(
                        f"recalls_at_once: {limit:g} recalls of {holder} are in progress; send it again later"
                    ).after(RECALL_PAUSE_S)
            self._recalls.update(holder for holder, _ in limits)
            self._count(access, "recalls")
        try:
            yield
        finally:
            with self._lock:
                self._recalls.subtract(holder for holder, _ in limits)
                self._recalls = +self._recalls

    def add_image_tokens(self, tokens: int) -> None:
        """Counts the tokens of images in an answer. Raises `LimitReached` if its tenant would have too many today."""
        if not tokens:
            return
        access = Access.current()
        tenant = access.tenant or ""
        limit = self._last(tenant).image_tokens_per_day
        now = self._now()
        before = 0
        if limit is not None:
            with self._database.read() as connection:
                before = usage.image_tokens(connection, tenant, now.date())
        with self._lock:
            unwritten = (c["image_tokens"] for key, c in self._counts.items() if key[:2] == (now.date(), tenant))
            before += sum(unwritten)
            if limit is not None and before + tokens > limit:
                raise LimitReached(
                    f"image_tokens_per_day: {_name(tenant)} has had {before:,} of {limit:,} today, and {tokens:,} more "
                    "do not fit; ask for text, or send it again tomorrow (UTC)"
                ).after(_until_midnight(now))
            self._count(access, "image_tokens", tokens)

    def write(self) -> None:
        """Writes the requests, recalls and tokens of images that were counted since the last call."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            with Access().limiting(), self._database.write() as connection:  # of all tenants
                usage.add(connection, counts)
        except BaseException:
            with self._lock:
                for key, values in counts.items():
                    self._counts.setdefault(key, Counter()).update(values)
            raise

    def in_transaction(self, connection: Connection, tenant: str, day: date) -> "StoreLimits":
        """Returns the limits for what a transaction stores for a tenant."""
        return StoreLimits(connection, tenant, self._current(tenant, connection), day)

    def _take(self, holder: _Holder, rate: float) -> None:
        """Takes a token from the bucket of a tenant or a key. Raises `LimitReached`."""
        now = time.monotonic()
        capacity = max(1.0, rate)
        bucket = self._buckets.setdefault(holder, _Bucket(capacity, now))
        bucket.tokens = min(capacity, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.tokens < 1:
            raise LimitReached(
                f"requests_per_s: {holder} may send {rate:g} requests a second to this process; send fewer"
            ).after(max(1.0, (1 - bucket.tokens) / rate))
        bucket.tokens -= 1

    def _count(self, access: Access, name: str, number: int = 1) -> None:
        key = UsageKey(self._now().date(), access.tenant or "", access.key_id or "")
        self._counts.setdefault(key, Counter())[name] += number

    def _current(self, tenant: str, connection: Connection | None = None) -> UsageLimits:
        """Returns the limits of a tenant, as they were at most `REREAD_S` ago."""
        with self._lock:
            limits, read_at = self._read.get(tenant, (None, 0.0))
        if limits is not None and time.monotonic() - read_at < REREAD_S:
            return limits
        if connection is not None:
            limits = self._fetch(connection, tenant)
        else:
            with self._database.read() as reading:
                limits = self._fetch(reading, tenant)
        with self._lock:
            self._read[tenant] = limits, time.monotonic()
        return limits

    def _last(self, tenant: str) -> UsageLimits:
        """Returns the limits of a tenant as they were read last."""
        with self._lock:
            limits, _ = self._read.get(tenant, (None, 0.0))
        return self._current(tenant) if limits is None else limits

    @staticmethod
    def _fetch(connection: Connection, tenant: str) -> UsageLimits:
        return UsageLimits.from_fields(usage.limits(connection, tenant))


class StoreLimits:
    """UsageLimits for what one transaction stores for one tenant, whose banks it locks."""

    def __init__(self, connection: Connection, tenant: str, limits: UsageLimits, day: date) -> None:
        self._connection = connection
        self._tenant = tenant
        self._limits = limits
        self._day = day
        #: Messages and bytes of the day, with those of this transaction; None while they are not needed.
        self._stored: tuple[int, int] | None = None
        #: Bank → number of its messages, with those of this transaction.
        self._held: dict[int, int] = {}
        #: What this transaction stores.
        self.counts: dict[UsageKey, Counter[str]] = {}

    def check(self, bank_id: int, messages: int, size: int, now: datetime, key_id: str | None) -> None:
        """Counts messages of `size` bytes that are about to be stored in a bank. Raises `QuotaReached` and
        `LimitReached`; nothing is counted then."""
        if not messages:
            return
        self._check_bank(bank_id, messages)
        self._check_day(messages, size, now)
        if bank_id in self._held:
            self._held[bank_id] += messages
        counter = self.counts.setdefault(UsageKey(self._day, self._tenant, key_id or ""), Counter())
        counter.update(messages=messages, bytes=size)

    def _check_bank(self, bank_id: int, messages: int) -> None:
        limit = self._limits.bank_messages
        if limit is None:
            return
        if bank_id not in self._held:
            self._held[bank_id] = usage.count_messages(self._connection, bank_id)
        if self._held[bank_id] + messages > limit:
            raise QuotaReached(
                f"bank_messages: the bank holds {self._held[bank_id]:,} of {limit:,} messages, and {messages:,} more "
                "do not fit; erase some, or ask the operator for a higher limit"
            )

    def _check_day(self, messages: int, size: int, now: datetime) -> None:
        limits = self._limits
        if limits.messages_per_day is None and limits.bytes_per_day is None:
            return
        if self._stored is None:
            self._stored = usage.of_day(self._connection, self._tenant, self._day)
        sums = self._stored[0] + messages, self._stored[1] + size
        names = ("messages_per_day", limits.messages_per_day), ("bytes_per_day", limits.bytes_per_day)
        for (name, limit), total, before in zip(names, sums, self._stored, strict=True):
            if limit is not None and total > limit:
                raise LimitReached(
                    f"{name}: {_name(self._tenant)} has stored {before:,} of {limit:,} today, and {total - before:,} "
                    "more do not fit; send it again tomorrow (UTC), or ask the operator for a higher limit"
                ).after(_until_midnight(now))
        self._stored = sums


def _limits_of(access: Access, of_key: float | None, of_tenant: float | None) -> Iterator[tuple[_Holder, float]]:
    """Yields the key and the tenant of a caller with their limits, where they have one."""
    tenant = access.tenant or ""
    if of_key is not None and access.key_id is not None:
        yield _Holder(tenant, access.key_id), of_key
    if of_tenant is not None:
        yield _Holder(tenant), of_tenant


def _until_midnight(now: datetime) -> float:
    """Returns the seconds until the day of UTC ends, at least one."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(1.0, (midnight - now).total_seconds())


def _name(tenant: str) -> str:
    return f"the tenant {tenant}" if tenant else "a caller without a tenant"


def _check_tenant(tenant: str | None) -> None:
    own = Access.current().tenant
    if own is not None and own != tenant:
        raise Forbidden(f"this key belongs to the tenant {own} and sees its limits alone")
