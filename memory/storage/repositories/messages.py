"""Messages: who said what and when, and the exact text of open ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypedDict

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal, or_, select

from foxing.memory.metadata import Scalar
from foxing.memory.storage import columns, schema

from .batches import batched

_c = schema.messages.c
MAX_OPEN = 20_000  # open messages read at once to fill the next pages: empty ones take cells as well


@dataclass(frozen=True)
class Message:
    """A message, with its text while it is open."""

    id: int
    #: The message's id as callers know it, unique in its bank.
    key: str
    thread: str
    role: str
    name: str | None
    created_at: datetime
    #: The exact text; None once the message is sealed to its end.
    content: str | None
    #: Length of the text.
    chars: int
    #: How many of its characters are on pages.
    sealed_chars: int
    open: bool
    digest: bytes
    #: How many parts the content was given in; 0 if it is just a text, else the text is their rendering.
    parts: int = 0
    #: What was stored with it; None if nothing was.
    metadata: Mapping[str, JsonValue] | None = None
    #: In how many passages it is found.
    passages: int = 1


class NewRow(TypedDict):
    """Columns of a message to insert."""

    bank_id: int
    key: str
    thread_id: int
    role: str
    name: str | None
    created_at: datetime
    content: str
    parts: int
    metadata: dict[str, JsonValue] | None
    digest: bytes
    chars: int
    passages: int


class SealedPart(NamedTuple):
    """How much of a message is sealed."""

    message_id: int
    #: Characters on pages.
    chars: int
    #: Whether that is all of them.
    complete: bool


class Neighbours(NamedTuple):
    """Ids of the messages around one in its thread, on either side the nearest first."""

    before: Sequence[int]
    after: Sequence[int]


@dataclass(frozen=True)
class MessageFilter:
    """Which messages of a bank count: those of a half-open time window, of a thread, with some metadata, or all."""

    since: datetime | None = None
    until: datetime | None = None
    thread_id: int | None = None
    #: Members that the metadata must have, with equal values.
    metadata: Mapping[str, Scalar] = field(default_factory=dict)

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL over the messages table; empty if it lets everything through."""
        conditions: list[ColumnElement[bool]] = []
        if self.since is not None:
            conditions.append(_c.created_at >= self.since)
        if self.until is not None:
            conditions.append(_c.created_at < self.until)
        if self.thread_id is not None:
            conditions.append(_c.thread_id == self.thread_id)
        if self.metadata:
            conditions.append(columns.json_contains(_c.metadata, literal(dict(self.metadata), columns.JsonObject)))
        return conditions


_select = select(
    _c.id,
    _c.key,
    schema.threads.c.name.label("thread"),
    _c.role,
    _c.name,
    _c.created_at,
    _c.content,
    _c.chars,
    _c.sealed_chars,
    _c.open,
    _c.digest,
    _c.parts,
    _c.metadata,
    _c.passages,
).join_from(schema.messages, schema.threads, schema.threads.c.id == _c.thread_id)


def _message(row: Any) -> Message:
    return Message(*row)


def by_keys(connection: Connection, bank_id: int, keys: Sequence[str]) -> dict[str, Message]:
    """Key → message, for those that exist."""
    result: dict[str, Message] = {}
    for part in batched(keys):
        query = _select.where(_c.bank_id == bank_id, _c.key.in_(part))
        result |= {row.key: _message(row) for row in connection.execute(query)}
    return result


def ids_of(connection: Connection, bank_id: int, keys: Sequence[str]) -> dict[str, int]:
    """Key → id, for the messages that exist."""
    ids: dict[str, int] = {}
    for part in batched(keys):
        query = select(_c.key, _c.id).where(_c.bank_id == bank_id, _c.key.in_(part))
        ids |= {key: number for key, number in connection.execute(query)}
    return ids


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, Message]:
    """Id → message, for those that exist."""
    if not ids:
        return {}
    return {row.id: _message(row) for row in connection.execute(_select.where(columns.among(_c.id, ids)))}


def insert(connection: Connection, rows: Sequence[NewRow], bank_id: int) -> dict[str, int]:
    """Inserts messages of one bank, whose ids ascend in that order; returns key → id."""
    values = [dict(row) for row in rows]
    if connection.dialect.name != "sqlite":  # which executes such a statement row by row
        statement = schema.messages.insert().returning(_c.key, _c.id, sort_by_parameter_order=True)
        return {row.key: row.id for row in connection.execute(statement, values)}
    connection.execute(schema.messages.insert(), values)
    return ids_of(connection, bank_id, [row["key"] for row in rows])


def open_up_to(connection: Connection, bank_id: int, chars: int, newest: int) -> list[Message]:
    """Open messages in time order, until they have `chars` unsealed characters; at least one if there is one.

    Messages with an id above `newest` are left out.
    """
    query = (
        _select.where(_c.bank_id == bank_id, _c.open, _c.id <= newest).order_by(_c.created_at, _c.id).limit(MAX_OPEN)
    )
    result: list[Message] = []
    total = 0
    with connection.execute(query.execution_options(yield_per=200)) as rows:
        for row in rows:
            message = _message(row)
            result.append(message)
            total += message.chars - message.sealed_chars
            if total >= chars:
                break
    return result


def mark_sealed(connection: Connection, parts: Sequence[SealedPart]) -> None:
    """Records how much of each message is sealed; a complete one is no longer open and loses its exact text."""
    complete = [{"key_id": part.message_id, "sealed": part.chars} for part in parts if part.complete]
    partial = [{"key_id": part.message_id, "sealed": part.chars} for part in parts if not part.complete]
    update = schema.messages.update().where(_c.id == bindparam("key_id"))
    if complete:
        connection.execute(update.values(sealed_chars=bindparam("sealed"), open=False, content=None), complete)
    if partial:
        connection.execute(update.values(sealed_chars=bindparam("sealed")), partial)


def window(
    connection: Connection,
    bank_id: int,
    within: MessageFilter,
    *,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[Message]:
    """Up to `limit` messages in time order, starting after the message of that time and id."""
    query = _select.where(_c.bank_id == bank_id, *within.conditions()).order_by(_c.created_at, _c.id).limit(limit)
    if after is not None:
        at, message_id = after
        query = query.where(or_(_c.created_at > at, and_(_c.created_at == at, _c.id > message_id)))
    return [_message(row) for row in connection.execute(query)]


def latest(connection: Connection, bank_id: int, within: MessageFilter, limit: int) -> list[Message]:
    """The last `limit` messages, in time order."""
    query = _select.where(_c.bank_id == bank_id, *within.conditions())
    newest = connection.execute(query.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit))
    return [_message(row) for row in newest][::-1]


def listed(connection: Connection, bank_id: int, within: MessageFilter, ids: Sequence[int]) -> list[Message]:
    """Those of the messages that are in the bank and that the filter lets through, in time order."""
    result: list[Message] = []
    for part in batched(ids):
        query = _select.where(_c.bank_id == bank_id, _c.id.in_(part), *within.conditions())
        result += [_message(row) for row in connection.execute(query)]
    return sorted(result, key=lambda message: (message.created_at, message.id))


def ids_within(connection: Connection, bank_id: int, within: MessageFilter) -> list[int]:
    """Ids of the messages of a bank that the filter lets through."""
    return list(connection.execute(select(_c.id).where(_c.bank_id == bank_id, *within.conditions())).scalars())


def ids_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[int]:
    """Ids of up to `limit` messages of a bank above `message_id`, ascending."""
    query = select(_c.id).where(_c.bank_id == bank_id, _c.id > message_id).order_by(_c.id).limit(limit)
    return list(connection.execute(query).scalars())


def count_after(connection: Connection, bank_id: int, message_id: int) -> int:
    """How many messages of a bank have a higher id."""
    return int(connection.execute(select(func.count()).where(_c.bank_id == bank_id, _c.id > message_id)).scalar_one())


def admitted(connection: Connection, ids: Sequence[int], within: MessageFilter) -> set[int]:
    """Those of the messages that exist and that the filter lets through."""
    if not ids:
        return set()
    query = select(_c.id).where(columns.among(_c.id, ids), *within.conditions())
    return set(connection.execute(query).scalars())


def neighbours(connection: Connection, ids: Sequence[int], reach: int) -> dict[int, Neighbours]:
    """Id → the up to `reach` messages before it and after it in its thread, in the order they were stored in."""
    result: dict[int, Neighbours] = {}
    for message_id, *found in connection.execute(_neighbours_query(reach), {"ids": ids}) if ids else ():
        sides = found[:reach], found[reach:]
        before, after = ([i for i in side if i is not None] for side in sides)
        result[message_id] = Neighbours(before, after)
    return result


@cache
def _neighbours_query(reach: int) -> Select[Any]:
    """Of the messages `ids`: the id, those of the messages before it, and those after it. Building it takes longer than
    asking it."""
    near = schema.messages.alias("near").c

    def distant(distance: int, *, later: bool) -> ColumnElement[int | None]:
        beyond, nearest = (near.id > _c.id, near.id) if later else (near.id < _c.id, near.id.desc())
        query = select(near.id).where(near.thread_id == _c.thread_id, beyond).order_by(nearest)
        return query.offset(distance - 1).limit(1).correlate(schema.messages).scalar_subquery()

    distances = range(1, reach + 1)
    around = [distant(n, later=later) for later in (False, True) for n in distances]
    return select(_c.id, *around).where(columns.is_among(_c.id, bindparam("ids", type_=columns.IdList)))


def times(connection: Connection, ids: Sequence[int]) -> dict[int, datetime]:
    """Id → when the message was said, for those that exist."""
    if not ids:
        return {}
    query = select(_c.id, _c.created_at).where(columns.among(_c.id, ids))
    return {message_id: at for message_id, at in connection.execute(query)}


def passage_counts(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Id → in how many passages the message is found, for those that are found in several."""
    if not ids:
        return {}
    query = select(_c.id, _c.passages).where(columns.among(_c.id, ids), _c.passages > 1)
    return {message_id: passages for message_id, passages in connection.execute(query)}


def set_passages(connection: Connection, passages: Mapping[int, int]) -> None:
    """Records in how many passages messages are found: id → number."""
    values = [{"key_id": message_id, "number": number} for message_id, number in passages.items()]
    if values:
        update = schema.messages.update().where(_c.id == bindparam("key_id"))
        connection.execute(update.values(passages=bindparam("number")), values)


def oldest_open(connection: Connection, bank_id: int) -> datetime | None:
    """The time of the oldest open message."""
    query = select(func.min(_c.created_at)).where(_c.bank_id == bank_id, _c.open)
    oldest: datetime | None = connection.execute(query).scalar_one()
    return oldest


def count_open(connection: Connection, bank_id: int) -> int:
    query = select(func.count()).select_from(schema.messages).where(_c.bank_id == bank_id, _c.open)
    return connection.execute(query).scalar_one()


def newest_id(connection: Connection) -> int:
    """The highest message id in any bank, 0 if there is none; messages stored later have a higher one."""
    return int(connection.execute(select(func.coalesce(func.max(_c.id), 0))).scalar_one())


def count_open_chars(connection: Connection, bank_id: int) -> int:
    """Characters of open messages that are not on pages."""
    query = select(func.coalesce(func.sum(_c.chars - _c.sealed_chars), 0)).where(_c.bank_id == bank_id, _c.open)
    return int(connection.execute(query).scalar_one())


def forget_digests(connection: Connection, page_ids: Sequence[int]) -> None:
    """Empties the digests of the messages on these pages whose text is kept nowhere: neither with a page nor in the
    wastebasket. A short text could be found by trying."""
    spans, pages, dropped = schema.spans.alias(), schema.pages, schema.wastebasket
    kept = select(spans.c.page_id).join_from(spans, pages, pages.c.id == spans.c.page_id)
    kept = kept.where(spans.c.message_id == _c.id, pages.c.text_bytes > 0)
    restorable = select(spans.c.page_id).join_from(spans, dropped, dropped.c.page_id == spans.c.page_id)
    restorable = restorable.where(spans.c.message_id == _c.id, dropped.c.text.is_not(None))
    for ids in batched(page_ids):
        on_them = select(schema.spans.c.message_id).where(schema.spans.c.page_id.in_(ids))
        update = schema.messages.update().where(_c.id.in_(on_them), ~_c.open, ~kept.exists(), ~restorable.exists())
        connection.execute(update.values(digest=b""))
