"""Times at which single messages expire."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from foxing.memory.storage import columns, schema

from . import schedule
from .banks import Bank

_c = schema.message_expiries.c
_b = schema.banks.c


def add(connection: Connection, bank: Bank, expiries: Mapping[int, datetime]) -> None:
    """Adds the expiries of new messages of a bank, by message id."""
    connection.execute(
        schema.message_expiries.insert(),
        [{"bank_id": bank.id, "message_id": key, "expires_at": at} for key, at in sorted(expiries.items())],
    )
    first = min(expiries.values())
    if bank.expires_at is None or first < bank.expires_at:
        connection.execute(schema.banks.update().where(_b.id == bank.id).values(expires_at=first))
    schedule.bring_forward(connection, bank.id, "erase", first)


def expired(connection: Connection, bank: Bank, now: datetime) -> frozenset[int]:
    """Returns the ids of the messages of a bank that have expired, without a query while none has."""
    if bank.expires_at is None or bank.expires_at > now:
        return frozenset()
    query = select(_c.message_id).where(_c.bank_id == bank.id, _c.expires_at <= now)
    return frozenset(connection.execute(query).scalars())


def times(connection: Connection, bank: Bank, ids: Collection[int]) -> dict[int, datetime]:
    """Returns message id → time of its expiry, for messages that expire."""
    if bank.expires_at is None or not ids:
        return {}
    query = select(_c.message_id, _c.expires_at).where(_c.bank_id == bank.id, columns.among(_c.message_id, sorted(ids)))
    return {message_id: at for message_id, at in connection.execute(query)}


def next_expiry(connection: Connection, bank_id: int, without: Collection[int] = ()) -> datetime | None:
    """Returns the time of the first expiry in a bank, of messages that are not in `without`."""
    query = select(func.min(_c.expires_at)).where(_c.bank_id == bank_id)
    if without:
        query = query.where(~columns.among(_c.message_id, sorted(without)))
    return connection.execute(query).scalar()


def remove(connection: Connection, bank_id: int, ids: Collection[int]) -> None:
    """Removes the expiries of erased messages."""
    first = select(_b.expires_at).where(_b.id == bank_id)
    if connection.execute(first).scalar() is None:
        return
    connection.execute(
        schema.message_expiries.delete().where(_c.bank_id == bank_id, columns.among(_c.message_id, sorted(ids)))
    )
    values = {"expires_at": next_expiry(connection, bank_id)}
    connection.execute(schema.banks.update().where(_b.id == bank_id).values(values))
