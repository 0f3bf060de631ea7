"""Audit events and the end of their chain."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from foxing.memory.storage import schema
from foxing.memory.storage.dialects import dialect_of, insert_into

_e = schema.audit_events.c
_c = schema.audit_chain.c
#: Key of the advisory lock for the end of the chain.
CHAIN_LOCK = 0x617564697421
NO_HASH = bytes(32)


class AuditRow(NamedTuple):
    """Row of an event. Without a number, it is not in the chain yet."""

    at: datetime
    tenant: str | None
    key_id: str | None
    door: str
    action: str
    bank: str | None
    subject: str | None
    items: int | None
    outcome: str
    number: int | None = None
    hash: bytes | None = None


class Chain(NamedTuple):
    """Ends of the chain: its last event, and the last one that was purged."""

    number: int = 0
    hash: bytes = NO_HASH
    purged: int = 0
    purged_hash: bytes = NO_HASH


_columns = [_e[name] for name in AuditRow._fields]
_insert = schema.audit_events.insert()
_join = (
    schema.audit_events.update()
    .where(_e.id == bindparam("event"), _e.number.is_(None))
    .values(number=bindparam("place"), hash=bindparam("digest"))
)
_unchained = select(_e.id, *_columns).where(_e.number.is_(None)).order_by(_e.id).limit(bindparam("count"))


def insert(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Inserts events."""
    connection.execute(_insert, [row._asdict() for row in rows])


def lock_chain(connection: Connection) -> Chain:
    """Returns the ends of the chain, locked until the transaction ends."""
    dialect_of(connection).lock(connection, CHAIN_LOCK)
    chain = find_chain(connection)
    if chain is None:
        connection.execute(insert_into(connection, schema.audit_chain).values(Chain()._asdict()))
        return Chain()
    return chain


def find_chain(connection: Connection) -> Chain | None:
    """Returns the ends of the chain; None if there is none yet."""
    row = connection.execute(select(_c.number, _c.hash, _c.purged, _c.purged_hash)).first()
    return None if row is None else Chain(row[0], bytes(row[1]), row[2], bytes(row[3]))


def set_chain(connection: Connection, chain: Chain) -> None:
    """Sets the ends of the chain."""
    connection.execute(schema.audit_chain.update().values(chain._asdict()))


def unchained(connection: Connection, limit: int) -> list[tuple[int, AuditRow]]:
    """Returns up to `limit` events that are not in the chain yet, with their row ids, oldest first."""
    return [(row[0], AuditRow(*row[1:])) for row in connection.execute(_unchained, {"count": limit})]


def join(connection: Connection, rows: Sequence[tuple[int, AuditRow]]) -> None:
    """Sets the numbers and hashes of events that join the chain."""
    connection.execute(_join, [{"event": key, "place": row.number, "digest": row.hash} for key, row in rows])


def list_after(
    connection: Connection,
    after: int | None,
    limit: int,
    *,
    tenant: str | None = None,
    bank: str | None = None,
    action: str | None = None,
    key_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    newest_first: bool = False,
) -> list[AuditRow]:
    """Returns up to `limit` events of the chain that meet the conditions, in its order or the reverse: those that
    follow the number `after`, or all."""
    conditions: list[ColumnElement[bool]] = [_e.number.is_not(None)]
    if after is not None:
        conditions.append(_e.number < after if newest_first else _e.number > after)
    pairs = ((_e.tenant, tenant), (_e.bank, bank), (_e.action, action), (_e.key_id, key_id))
    conditions += [column == value for column, value in pairs if value is not None]
    conditions += [] if since is None else [_e.at >= since]
    conditions += [] if until is None else [_e.at < until]
    order = (_e.number.desc(), _e.id.desc()) if newest_first else (_e.number, _e.id)
    query = select(*_columns).where(*conditions).order_by(*order).limit(limit)
    return [_row(AuditRow(*row)) for row in connection.execute(query)]


def purge(connection: Connection, chain: Chain, before: datetime) -> Chain:
    """Deletes the events at the beginning of the chain that are older than `before`, and returns its ends, which keep
    the hash of the last of them."""
    stop = connection.execute(select(func.min(_e.number)).where(_e.at >= before)).scalar()
    last = chain.number if stop is None else stop - 1
    if last <= chain.purged:
        return chain
    digest = connection.execute(select(_e.hash).where(_e.number == last)).scalar()
    if digest is None:  # the event is missing, which verification reports
        return chain
    connection.execute(schema.audit_events.delete().where(_e.number <= last))
    return chain._replace(purged=last, purged_hash=bytes(digest))


def _row(row: AuditRow) -> AuditRow:
    return row if row.hash is None else row._replace(hash=bytes(row.hash))
