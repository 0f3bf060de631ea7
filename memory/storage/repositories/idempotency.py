"""Idempotency keys of writes, with their answers."""

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
WINDOW = timedelta(days=1)  # lifetime of a key

A = TypeVar("A", bound=BaseModel)


class SavedAnswer(NamedTuple):
    """Answer to the first request with a key."""

    #: Digest of that request. The key cannot be used for another request.
    digest: bytes
    #: The answer as JSON.
    answer: dict[str, Any]


class Use(NamedTuple):
    """Use of a key by a request."""

    key: str
    #: Digest of the request.
    digest: bytes
    now: datetime


def answered_once(connection: Connection, bank_id: int, use: Use, kind: type[A], answer: Callable[[], A]) -> A:
    """Returns the result of `answer`, or the saved result of the first request with that key. Raises `Conflict` if that
    was another request."""
    since = use.now - WINDOW
    delete_before(connection, since)
    saved = find_answer(connection, bank_id, use.key, since)
    if saved is None:
        result = answer()
        answer_row = SavedAnswer(use.digest, result.model_dump(mode="json"))
        save_answer(connection, bank_id, use.key, answer_row, use.now)
        return result
    if saved.digest != use.digest:
        raise Conflict(f"the idempotency key '{use.key}' was used for another request; use a new one")
    return kind.model_validate(saved.answer)


def find_answer(connection: Connection, bank_id: int, key: str, since: datetime) -> SavedAnswer | None:
    """Returns the answer saved under a key; None if there is none, or it was saved before `since`."""
    query = select(_c.digest, _c.answer).where(_c.bank_id == bank_id, _c.key == key, _c.created_at >= since)
    row = connection.execute(query).first()
    return SavedAnswer(bytes(row.digest), row.answer) if row else None


def save_answer(connection: Connection, bank_id: int, key: str, saved: SavedAnswer, now: datetime) -> None:
    """Saves the answer to a request under its key."""
    values = {"bank_id": bank_id, "key": key, "digest": saved.digest, "answer": saved.answer, "created_at": now}
    statement = insert_into(connection, schema.idempotency_keys).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["bank_id", "key"], set_=values))


def delete_naming(connection: Connection, bank_id: int, keys: Collection[str]) -> None:
    """Deletes the answers that contain any of the message ids `keys`."""
    names = set(keys)
    query = select(_c.key, _c.answer).where(_c.bank_id == bank_id)
    named = [key for key, answer in connection.execute(query) if not names.isdisjoint(answer.get("ids", ()))]
    for part in batched(named):
        connection.execute(schema.idempotency_keys.delete().where(_c.bank_id == bank_id, _c.key.in_(part)))


def delete_before(connection: Connection, before: datetime) -> int:
    """Deletes up to `DELETED_AT_ONCE` keys of any bank that were first used before that time, and returns how many.
    Each use of a key deletes more keys than it adds, so that expired ones do not accumulate."""
    old = select(_c.bank_id, _c.key).where(_c.created_at < before).order_by(_c.created_at).limit(DELETED_AT_ONCE)
    rows = connection.execute(old).all()
    for row in rows:
        one = schema.idempotency_keys.delete().where(_c.bank_id == row.bank_id, _c.key == row.key)
        connection.execute(one)
    return len(rows)
