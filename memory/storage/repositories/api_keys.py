"""API keys, by the digests of their secrets."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from foxing.memory.storage import schema
from foxing.memory.storage.dialects import insert_into

_c = schema.api_keys.c


@dataclass(frozen=True)
class ApiKeyRow:
    """Row of a key."""

    prefix: str
    salt: bytes
    digest: bytes
    name: str
    role: str
    tenant: str | None
    banks: list[str] | None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    requests_per_s: float | None = None
    recalls_at_once: int | None = None


_columns = [_c[name] for name in ApiKeyRow.__dataclass_fields__]


def insert(connection: Connection, row: ApiKeyRow) -> bool:
    """Inserts a key. Returns False if there is one with its prefix, also of another owner."""
    statement = insert_into(connection, schema.api_keys).values(asdict(row)).on_conflict_do_nothing().returning(_c.id)
    return connection.execute(statement).first() is not None


def find_locked(connection: Connection, prefix: str) -> ApiKeyRow | None:
    """Returns the key with a prefix, locked until the transaction ends; None if there is none."""
    row = connection.execute(select(*_columns).where(_c.prefix == prefix).with_for_update()).first()
    return None if row is None else ApiKeyRow(*row)


def list_after(connection: Connection, tenant: str | None, after: str | None, limit: int) -> list[ApiKeyRow]:
    """Returns up to `limit` keys in the order of their creation, after the key with the prefix `after`: those of a
    tenant, or all."""
    query = select(*_columns).order_by(_c.id).limit(limit)
    if tenant is not None:
        query = query.where(_c.tenant == tenant)
    if after is not None:
        query = query.where(_c.id > select(_c.id).where(_c.prefix == after).scalar_subquery())
    return [ApiKeyRow(*row) for row in connection.execute(query)]


def live(connection: Connection, now: datetime) -> list[ApiKeyRow]:
    """Returns the keys that are neither revoked nor expired."""
    return [ApiKeyRow(*row) for row in connection.execute(select(*_columns).where(*_is_live(now)))]


def count_live(connection: Connection, now: datetime) -> int:
    """Returns the number of keys that are neither revoked nor expired."""
    return int(connection.execute(select(func.count()).where(*_is_live(now))).scalar_one())


def _is_live(now: datetime) -> tuple[Any, ...]:
    return _c.revoked_at.is_(None), or_(_c.expires_at.is_(None), _c.expires_at > now)


def exist(connection: Connection) -> bool:
    """Returns True if there is any key, revoked and expired ones included."""
    return connection.execute(select(_c.id).limit(1)).first() is not None


def end(
    connection: Connection, prefix: str, *, revoked_at: datetime | None = None, expires_at: datetime | None = None
) -> None:
    """Sets when a key was revoked, or when it expires."""
    values = {"expires_at": expires_at} if revoked_at is None else {"revoked_at": revoked_at}
    connection.execute(schema.api_keys.update().where(_c.prefix == prefix).values(values))


_note_use = schema.api_keys.update().where(_c.prefix == bindparam("key")).values(last_used_at=bindparam("at"))


def note_uses(connection: Connection, uses: Mapping[str, datetime]) -> None:
    """Sets the time of the last use of keys. `uses`: prefix → time."""
    connection.execute(_note_use, [{"key": prefix, "at": at} for prefix, at in sorted(uses.items())])
