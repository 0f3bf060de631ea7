"""Messages: who said what when, and the exact text of those not yet sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from foxing.memory.storage import schema

_t = schema.messages.c
_IN = 500  # values in one IN (…)
MAX_OPEN = 20_000  # messages looked at for the next pages: empty ones take cells as well


@dataclass(frozen=True)
class Message:
    """A message without its text, unless it is open."""

    id: int
    key: str
    thread: str
    role: str
    name: str | None
    created_at: datetime
    content: str | None
    chars: int
    sealed_chars: int
    open: bool
    digest: bytes


_columns = (
    _t.id,
    _t.key,
    schema.threads.c.name.label("thread"),
    _t.role,
    _t.name,
    _t.created_at,
    _t.content,
    _t.chars,
    _t.sealed_chars,
    _t.open,
    _t.digest,
)
_select = select(*_columns).join_from(schema.messages, schema.threads, schema.threads.c.id == _t.thread_id)


def _message(row: Any) -> Message:
    return Message(*row)


def by_keys(connection: Connection, bank_id: int, keys: Sequence[str]) -> dict[str, Message]:
    result: dict[str, Message] = {}
    for start in range(0, len(keys), _IN):
        query = _select.where(_t.bank_id == bank_id, _t.key.in_(keys[start : start + _IN]))
        result |= {row.key: _message(row) for row in connection.execute(query)}
    return result


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, Message]:
    result: dict[int, Message] = {}
    for start in range(0, len(ids), _IN):
        query = _select.where(_t.id.in_(ids[start : start + _IN]))
        result |= {row.id: _message(row) for row in connection.execute(query)}
    return result


def insert(connection: Connection, rows: Sequence[dict[str, Any]], bank_id: int) -> dict[str, int]:
    """Inserts messages and returns key → id."""
    connection.execute(schema.messages.insert(), list(rows))
    keys = [row["key"] for row in rows]
    ids: dict[str, int] = {}
    for start in range(0, len(keys), _IN):
        query = select(_t.key, _t.id).where(_t.bank_id == bank_id, _t.key.in_(keys[start : start + _IN]))
        ids |= {row.key: row.id for row in connection.execute(query)}
    return ids


def open_messages(
    connection: Connection, bank_id: int, limit: int, after: tuple[datetime, int] | None = None
) -> list[Message]:
    """Open messages in time order."""
    query = _select.where(_t.bank_id == bank_id, _t.open).order_by(_t.created_at, _t.id).limit(limit)
    if after is not None:
        query = query.where(_later(after))
    return [_message(row) for row in connection.execute(query)]


def open_up_to(connection: Connection, bank_id: int, chars: int, newest: int) -> list[Message]:
    """Open messages with ids up to `newest` in time order until their unsealed text has `chars` characters; at least
    one if there is one."""
    query = (
        _select.where(_t.bank_id == bank_id, _t.open, _t.id <= newest).order_by(_t.created_at, _t.id).limit(MAX_OPEN)
    )
    found: list[Message] = []
    total = 0
    with connection.execute(query.execution_options(yield_per=200)) as rows:
        for row in rows:
            message = _message(row)
            found.append(message)
            total += message.chars - message.sealed_chars
            if total >= chars:
                break
    return found


def mark_sealed(connection: Connection, progress: Sequence[tuple[int, int, bool]]) -> None:
    """Notes for each (id, characters on pages, whole) how far it is sealed; a whole one loses its exact text."""
    whole = [{"key_id": i, "chars_done": n} for i, n, done in progress if done]
    parts = [{"key_id": i, "chars_done": n} for i, n, done in progress if not done]
    update = schema.messages.update().where(_t.id == bindparam("key_id"))
    if whole:
        connection.execute(update.values(sealed_chars=bindparam("chars_done"), open=False, content=None), whole)
    if parts:
        connection.execute(update.values(sealed_chars=bindparam("chars_done")), parts)


def window(
    connection: Connection,
    bank_id: int,
    *,
    since: datetime | None,
    until: datetime | None,
    thread_id: int | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[Message]:
    """Messages of a time window (half open) in time order."""
    query = _select.where(*_within(bank_id, since, until, thread_id)).order_by(_t.created_at, _t.id).limit(limit)
    if after is not None:
        query = query.where(_later(after))
    return [_message(row) for row in connection.execute(query)]


def _later(after: tuple[datetime, int]) -> Any:
    at, message_id = after
    return or_(_t.created_at > at, and_(_t.created_at == at, _t.id > message_id))


def _within(bank_id: int, since: datetime | None, until: datetime | None, thread_id: int | None) -> list[Any]:
    conditions: list[Any] = [_t.bank_id == bank_id]
    if since is not None:
        conditions.append(_t.created_at >= since)
    if until is not None:
        conditions.append(_t.created_at < until)
    if thread_id is not None:
        conditions.append(_t.thread_id == thread_id)
    return conditions


@dataclass(frozen=True)
class Totals:
    messages: int
    open_messages: int
    open_text_bytes: int
    metadata_bytes: int
    first_at: datetime | None
    last_at: datetime | None


#: What a message holds besides its text and names: key columns, times and digest, and its places in three indexes.
ROW_BYTES = 108


def totals(connection: Connection, bank_id: int) -> Totals:
    size = schema.octet_length
    names = 2 * size(_t.key) + func.coalesce(size(_t.name), 0) + size(_t.role)
    first = select(
        func.count(_t.id),
        func.coalesce(func.sum(names + ROW_BYTES), 0),
        func.min(_t.created_at),
        func.max(_t.created_at),
    ).where(_t.bank_id == bank_id)
    count, metadata_bytes, first_at, last_at = connection.execute(first).one()
    second = select(func.count(_t.id), func.coalesce(func.sum(size(_t.content)), 0)).where(
        _t.bank_id == bank_id, _t.open
    )
    open_count, open_bytes = connection.execute(second).one()
    return Totals(count, open_count, open_bytes, metadata_bytes, first_at, last_at)


def oldest_open(connection: Connection, bank_id: int) -> datetime | None:
    query = select(func.min(_t.created_at)).where(_t.bank_id == bank_id, _t.open)
    oldest: datetime | None = connection.execute(query).scalar_one()
    return oldest


def count_open(connection: Connection, bank_id: int) -> int:
    query = select(func.count()).select_from(schema.messages).where(_t.bank_id == bank_id, _t.open)
    return connection.execute(query).scalar_one()


def newest_id(connection: Connection) -> int:
    """The highest id there is, in any bank: what is stored from now on has a higher one."""
    return int(connection.execute(select(func.coalesce(func.max(_t.id), 0))).scalar_one())


def count_open_chars(connection: Connection, bank_id: int) -> int:
    """Characters that open messages still hold."""
    query = select(func.coalesce(func.sum(_t.chars - _t.sealed_chars), 0)).where(_t.bank_id == bank_id, _t.open)
    return int(connection.execute(query).scalar_one())
