"""Jobs of banks and of tenants that services carry out, with their progress and their results."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from foxing.memory.storage import schema
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.values.jobs import UNFINISHED, WITHOUT_BANK
from foxing.renderer.clock import MAX_CLOCK_SKEW

KEPT = 100  # jobs of a bank that have ended, the newest; of a tenant, those without a bank
#: Kind of the jobs that only the process can carry out that has their file.
IMPORT: Final = "import"
START_LOCK = 0x737461727473  # "starts": key of the advisory lock for starting a job without a bank
_c = schema.bank_jobs.c
_unfinished = _c.state.in_(UNFINISHED)


@dataclass(frozen=True)
class BankJobRow:
    """Row of a job."""

    key: str
    kind: str
    state: str
    lease_owner: str
    lease_until: datetime
    #: Other fields that users see, as JSON: of an `ImportJob`, or of a `Job`.
    job: dict[str, Any]
    #: Arguments of the call; None once it has ended, since they may name what was erased.
    options: dict[str, Any] | None = None
    #: Digest of the request, by which a repeated one is recognised; None as above.
    digest: bytes | None = None
    #: Number of times that it began.
    attempts: int = 0
    #: Id of the key of its caller.
    key_id: str | None = None
    #: Whether it is to end.
    cancelled: bool = False
    #: Full name of its bank; None for one that concerns no bank, or has erased its bank.
    bank: str | None = None
    tenant: str | None = None
    id: int = 0

    @property
    def has_bank(self) -> bool:
        """True if it belongs to a bank, with which it is erased."""
        return self.kind not in WITHOUT_BANK

    def is_leased(self, now: datetime, length: timedelta) -> bool:
        """True if a process that lives has the job."""
        return now < self.lease_until <= now + length + MAX_CLOCK_SKEW


_COLUMNS = (
    *(_c.key, _c.kind, _c.state, _c.lease_owner, _c.lease_until, _c.job, _c.options, _c.digest, _c.attempts),
    *(_c.key_id, _c.cancelled, schema.banks.c.name, _c.tenant, _c.id),
)


def _rows() -> Select[Any]:
    return select(*_COLUMNS).join_from(schema.bank_jobs, schema.banks, schema.banks.c.id == _c.bank_id, isouter=True)


def _of(bank_id: int | None, tenant: str | None) -> ColumnElement[bool]:
    """Condition of the jobs of a bank, or else of those of a tenant that have no bank."""
    if bank_id is not None:
        return _c.bank_id == bank_id
    return and_(_c.bank_id.is_(None), _c.tenant.is_not_distinct_from(tenant))


def lock(connection: Connection) -> None:
    """Waits for other transactions that start jobs without a bank."""
    dialect_of(connection).lock(connection, START_LOCK)


def add(connection: Connection, bank_id: int | None, row: BankJobRow) -> None:
    """Adds a job of a bank, or of a tenant, and deletes the oldest that have ended if more than `KEPT` have."""
    names = ("key", "kind", "state", "lease_owner", "lease_until", "job", "options", "digest", "attempts", "key_id")
    values = {name: getattr(row, name) for name in (*names, "tenant")}
    connection.execute(schema.bank_jobs.insert().values(bank_id=bank_id, **values))
    of_owner = (_of(bank_id, row.tenant), ~_unfinished)
    newest = select(_c.id).where(*of_owner).order_by(_c.id.desc())
    oldest_kept = connection.execute(newest.offset(KEPT - 1).limit(1)).scalar()
    if oldest_kept is not None:
        connection.execute(schema.bank_jobs.delete().where(*of_owner, _c.id < oldest_kept))


def find(connection: Connection, key: str) -> BankJobRow | None:
    """Returns a job; None if there is none with that id."""
    row = connection.execute(_rows().where(_c.key == key)).first()
    return None if row is None else BankJobRow(*row)


def find_in_bank(connection: Connection, bank_id: int, key: str) -> BankJobRow | None:
    """Returns a job of a bank; None if there is none with that id."""
    row = connection.execute(_rows().where(_c.bank_id == bank_id, _c.key == key)).first()
    return None if row is None else BankJobRow(*row)


def find_unfinished(
    connection: Connection, bank_id: int | None, tenant: str | None, digest: bytes
) -> BankJobRow | None:
    """Returns the job of a bank, or of a tenant, that has not ended and was started by the same request; None if there
    is none."""
    same = (_of(bank_id, tenant), _unfinished, _c.digest == digest, ~_c.cancelled)
    row = connection.execute(_rows().where(*same).order_by(_c.id).limit(1)).first()
    return None if row is None else BankJobRow(*row)


def list_before(connection: Connection, bank_id: int, before: int | None, limit: int) -> list[BankJobRow]:
    """Returns jobs of a bank, the newest first. `before`: only those with a lower id."""
    query = _rows().where(_c.bank_id == bank_id).order_by(_c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_c.id < before)
    return [BankJobRow(*row) for row in connection.execute(query)]


def cancel(connection: Connection, key: str) -> None:
    """Asks a job to end."""
    update = schema.bank_jobs.update().where(_c.key == key, _unfinished)
    connection.execute(update.values(cancelled=True))


def update(connection: Connection, owner: str, key: str, **values: Any) -> bool:
    """Writes columns of a job. Returns False if it has ended, is not there any more, as when its bank was erased, or
    belongs to another process."""
    changed = schema.bank_jobs.update().where(_c.key == key, _c.lease_owner == owner, _unfinished).values(values)
    return connection.execute(changed).rowcount == 1


def _free(now: datetime, length: timedelta) -> ColumnElement[bool]:
    return or_(_c.lease_until <= now, _c.lease_until > now + length + MAX_CLOCK_SKEW)


def first_free(connection: Connection, now: datetime, length: timedelta, kinds: Sequence[str]) -> BankJobRow | None:
    """Returns the oldest job of these kinds that has not ended and that no process has; None if there is none. Reads
    only. `length`: that of a lease."""
    query = _rows().where(_unfinished, _c.kind.in_(kinds), _free(now, length))
    row = connection.execute(query.order_by(_c.id).limit(1)).first()
    return None if row is None else BankJobRow(*row)


def take(connection: Connection, row: BankJobRow, owner: str, until: datetime) -> bool:
    """Takes a job whose lease has expired. Returns False if another process was faster."""
    same = (_c.key == row.key, _unfinished, _c.lease_owner == row.lease_owner, _c.lease_until == row.lease_until)
    update = schema.bank_jobs.update().where(*same).values(lease_owner=owner, lease_until=until)
    return connection.execute(update).rowcount == 1


def extend(connection: Connection, owner: str, until: datetime) -> None:
    """Renews the leases of a process on its unfinished jobs."""
    mine = schema.bank_jobs.update().where(_c.lease_owner == owner, _unfinished)
    connection.execute(mine.values(lease_until=until))


def running_keys(connection: Connection, owner: str, keys: Iterable[str]) -> set[str]:
    """Returns those of the jobs that still belong to a process and are not to end."""
    mine = (_c.key.in_(list(keys)), _c.lease_owner == owner, _unfinished, ~_c.cancelled)
    return set(connection.execute(select(_c.key).where(*mine)).scalars())


def count_of_tenant(connection: Connection, tenant: str | None) -> int:
    """Returns the number of jobs of a tenant that have not ended, without imports; None for no tenant."""
    of_tenant = _c.tenant.is_not_distinct_from(tenant)
    counted = select(func.count()).where(_unfinished, _c.kind != IMPORT, of_tenant)
    return int(connection.execute(counted).scalar_one())


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Returns (kind, state) → the number of jobs that have not ended."""
    query = select(_c.kind, _c.state, func.count()).where(_unfinished).group_by(_c.kind, _c.state)
    return {(kind, state): int(number) for kind, state, number in connection.execute(query)}
