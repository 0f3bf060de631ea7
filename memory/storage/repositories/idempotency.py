"""Idempotency keys of writes, with the answer that each was given."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection, select

from foxing.memory.errors import Conflict
from foxing.memory.storage import schema
from foxing.memory.storage.dialects import insert_into

from .batches import batched

_c = schema.idempotency_keys.c

DELETED_AT_ONCE = 10
WINDOW = timedelta(days=1)  # how long a key is remembered

A = TypeVar("A", bound=BaseModel)


class SavedAnswer(NamedTuple):
    """The answer to the first request that used a key."""

    #: Digest of that request: another request must not use its key.
    digest: bytes
    #: The answer as JSON.
    answer: dict[str, Any]


class Use(NamedTuple):
    """A use of a key by a request."""

    key: str
    #: Of the request.
    digest: bytes
    now: datetime


def answered_once(connection: Connection, bank_id: int, use: Use, kind: type[A], answer: Callable[[], A]) -> A:
    """What `answer` returns, or what it returned for the first request with that key. Raises `Conflict` if that was
    another request."""
    since = use.now - WINDOW
    delete_before(connection, since)
    saved = find_answer(connection, bank_id, use.key, since)
    if saved is None:
        result = answer()
        given = SavedAnswer(use.digest, result.model_dump(mode="json"))
        save_answer(connection, bank_id, use.key, given, use.now)
        return result
    if saved.digest != use.digest:
        raise Conflict(f"the idempotency key '{use.key}' was used for another request; use a new one")
    return kind.model_validate(saved.answer)


def find_answer(connection: Connection, bank_id: int, key: str, since: datetime) -> SavedAnswer | None:
    """The answer that was given under a key; None if that was before `since`."""
    query = select(_c.digest, _c.answer).where(_c.bank_id == bank_id, _c.key == key, _c.created_at >= since)
    row = connection.execute(query).first()
    return SavedAnswer(bytes(row.digest), row.answer) if row else None


def save_answer(connection: Connection, bank_id: int, key: str, saved: SavedAnswer, now: datetime) -> None:
    values = {"bank_id": bank_id, "key": key, "digest": saved.digest, "answer": saved.answer, "created_at": now}
    statement = insert_into(connection, schema.idempotency_keys).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["bank_id", "key"], set_=values))


def delete_naming(connection: Connection, bank_id: int, keys: Collection[str]) -> None:
    """Deletes the answers that name any of the messages `keys`."""
    wanted = set(keys)
    query = select(_c.key, _c.answer).where(_c.bank_id == bank_id)
    named = [key for key, answer in connection.execute(query) if not wanted.isdisjoint(answer.get("ids", ()))]
    for part in batched(named):
        connection.execute(schema.idempotency_keys.delete().where(_c.bank_id == bank_id, _c.key.in_(part)))


def delete_before(connection: Connection, before: datetime) -> int:
    """Deletes some of the keys that were first used before that time, in any bank; returns how many. Each use of a key
    deletes more than it adds, so that none of them takes long."""
    old = select(_c.bank_id, _c.key).where(_c.created_at < before).order_by(_c.created_at).limit(DELETED_AT_ONCE)
    rows = connection.execute(old).all()
    for row in rows:
        one = schema.idempotency_keys.delete().where(_c.bank_id == row.bank_id, _c.key == row.key)
        connection.execute(one)
    return len(rows)
