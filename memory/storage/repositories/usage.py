"""UsageLimits of tenants and usage by day."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from foxing.memory.storage import schema
from foxing.memory.storage.dialects import insert_into

from .batches import totals_by_bank
from .sealed import ranges

_t = schema.tenants.c
_u = schema.usage_days.c
COUNTERS = ("requests", "recalls", "messages", "bytes", "image_tokens")


class UsageKey(NamedTuple):
    """Day, tenant and key that usage is counted for; empty for no tenant and no key."""

    day: date
    tenant: str
    key_id: str


def add(connection: Connection, counts: Mapping[UsageKey, Mapping[str, int]]) -> None:
    """Adds to counters: those of `COUNTERS` by name. Called last in a transaction, in the order of the keys, so that no
    two transactions wait for each other."""
    if not counts:
        return
    name = connection.dialect.name
    if name not in _additions:
        _additions[name] = _addition(connection)
    none = dict.fromkeys(COUNTERS, 0)
    connection.execute(
        _additions[name], [{**key._asdict(), **none, **values} for key, values in sorted(counts.items())]
    )


#: Dialect → its statement, which takes longer to build than to execute.
_additions: dict[str, Any] = {}


def _addition(connection: Connection) -> Any:
    names = (*UsageKey._fields, *COUNTERS)
    insert = insert_into(connection, schema.usage_days).values({name: bindparam(name) for name in names})
    grown = {name: _u[name] + insert.excluded[name] for name in COUNTERS}
    return insert.on_conflict_do_update(index_elements=[_u.day, _u.tenant, _u.key_id], set_=grown)


def of_day(connection: Connection, tenant: str, day: date) -> tuple[int, int]:
    """Returns the messages and bytes that a tenant has stored in a day."""
    row = connection.execute(_of_day, {"owner": tenant, "date": day}).one()
    return int(row[0]), int(row[1])


_of_day = select(func.coalesce(func.sum(_u.messages), 0), func.coalesce(func.sum(_u.bytes), 0)).where(
    _u.tenant == bindparam("owner"), _u.day == bindparam("date")
)


def image_tokens(connection: Connection, tenant: str, day: date) -> int:
    """Returns the tokens of images that a tenant has had in a day."""
    return int(connection.execute(_image_tokens, {"owner": tenant, "date": day}).scalar_one())


_image_tokens = select(func.coalesce(func.sum(_u.image_tokens), 0)).where(
    _u.tenant == bindparam("owner"), _u.day == bindparam("date")
)


def rows(connection: Connection, tenant: str | None, since: date) -> list[Any]:
    """Returns the rows of a tenant, or of all, from a day on, newest first."""
    query = select(schema.usage_days).where(_u.day >= since).order_by(_u.day.desc(), _u.tenant, _u.key_id)
    return list(connection.execute(query if tenant is None else query.where(_u.tenant == tenant)))


def limits(connection: Connection, tenant: str) -> dict[str, Any]:
    """Returns the limits of a tenant; {} if it has none."""
    return connection.execute(select(_t.limits).where(_t.name == tenant)).scalar() or {}


def set_limits(connection: Connection, tenant: str, values: dict[str, Any], now: datetime) -> None:
    """Sets the limits of a tenant."""
    insert = insert_into(connection, schema.tenants).values(name=tenant, created_at=now, limits=values)
    connection.execute(insert.on_conflict_do_update(index_elements=[_t.name], set_={"limits": values}))


def count_messages(connection: Connection, bank_id: int) -> int:
    """Returns the number of messages of a bank, which the caller has locked."""
    unsealed = int(connection.execute(_unsealed, {"bank": bank_id}).scalar_one())
    return unsealed + totals_by_bank(connection, ranges.COUNTS, [bank_id])[bank_id]


_m = schema.messages.c
_unsealed = select(func.count()).where(_m.bank_id == bindparam("bank"), _m.sealed_chars == 0)
