"""Banks, their threads and policies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from foxing.memory.errors import NotFound
from foxing.memory.storage import schema

_t = schema.banks.c

THREAD_ROW_BYTES = 16  # of a thread besides its name


@dataclass(frozen=True)
class Bank:
    id: int
    name: str
    created_at: datetime
    policy: dict[str, Any]
    seal_version: int


def _bank(row: Row[Any]) -> Bank:
    return Bank(row.id, row.name, row.created_at, row.policy, row.seal_version)


def find(connection: Connection, name: str) -> Bank | None:
    row = connection.execute(select(schema.banks).where(_t.name == name)).first()
    return _bank(row) if row else None


def get(connection: Connection, name: str) -> Bank:
    """Raises `NotFound`."""
    bank = find(connection, name)
    if bank is None:
        raise NotFound(f"there is no bank '{name}'; a bank comes into being with its first message")
    return bank


def get_or_create(connection: Connection, name: str, now: datetime, policy: dict[str, Any]) -> Bank:
    bank = find(connection, name)
    if bank is None:
        connection.execute(schema.banks.insert().values(name=name, created_at=now, policy=policy))
        bank = get(connection, name)
    return bank


def list_after(connection: Connection, after: str | None, limit: int) -> list[Bank]:
    """Banks by name, those after the name `after`."""
    query = select(schema.banks).order_by(_t.name).limit(limit)
    if after is not None:
        query = query.where(_t.name > after)
    return [_bank(row) for row in connection.execute(query)]


def everyone(connection: Connection) -> list[Bank]:
    return [_bank(row) for row in connection.execute(select(schema.banks).order_by(_t.id))]


def set_policy(connection: Connection, bank_id: int, policy: dict[str, Any]) -> None:
    connection.execute(schema.banks.update().where(_t.id == bank_id).values(policy=policy))


def take_seal_version(connection: Connection, bank: Bank) -> bool:
    """Counts the seal version up if nobody sealed since `bank` was read; False if somebody did."""
    result = connection.execute(
        schema.banks.update()
        .where(_t.id == bank.id, _t.seal_version == bank.seal_version)
        .values(seal_version=bank.seal_version + 1)
    )
    return result.rowcount == 1


def thread_ids(connection: Connection, bank_id: int, names: Iterable[str]) -> dict[str, int]:
    """Ids of the threads called `names`, made where they are new."""
    wanted = sorted(set(names))
    known = _threads(connection, bank_id, wanted)
    missing = [name for name in wanted if name not in known]
    if missing:
        connection.execute(schema.threads.insert(), [{"bank_id": bank_id, "name": name} for name in missing])
        known |= _threads(connection, bank_id, missing)
    return known


def find_thread(connection: Connection, bank_id: int, name: str) -> int | None:
    return _threads(connection, bank_id, [name]).get(name)


def _threads(connection: Connection, bank_id: int, names: Sequence[str]) -> dict[str, int]:
    table = schema.threads.c
    result: dict[str, int] = {}
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        query = select(table.name, table.id).where(table.bank_id == bank_id, table.name.in_(part))
        result |= {row.name: row.id for row in connection.execute(query)}
    return result


def count_threads(connection: Connection, bank_id: int) -> int:
    query = select(func.count()).select_from(schema.threads).where(schema.threads.c.bank_id == bank_id)
    return connection.execute(query).scalar_one()


def thread_bytes(connection: Connection, bank_id: int) -> int:
    """Names of threads, which the table holds and its index once more."""
    table = schema.threads.c
    query = select(func.coalesce(func.sum(2 * schema.octet_length(table.name) + THREAD_ROW_BYTES), 0))
    return int(connection.execute(query.where(table.bank_id == bank_id)).scalar_one())
