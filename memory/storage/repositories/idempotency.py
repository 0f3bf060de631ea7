"""Idempotency keys of writes, with the answer that each was given."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from foxing.memory.storage import schema

_c = schema.idempotency_keys.c


class SavedAnswer(NamedTuple):
    """The answer to the first request that used a key."""

    #: Digest of that request: another request must not use its key.
    digest: bytes
    #: The answer as JSON.
    answer: dict[str, Any]


def find_answer(connection: Connection, bank_id: int, key: str) -> SavedAnswer | None:
    query = select(_c.digest, _c.answer).where(_c.bank_id == bank_id, _c.key == key)
    row = connection.execute(query).first()
    return SavedAnswer(bytes(row.digest), row.answer) if row else None


def save_answer(connection: Connection, bank_id: int, key: str, saved: SavedAnswer, now: datetime) -> None:
    values = {"bank_id": bank_id, "key": key, "digest": saved.digest, "answer": saved.answer, "created_at": now}
    connection.execute(schema.idempotency_keys.insert().values(values))


def delete_before(connection: Connection, bank_id: int, before: datetime) -> int:
    """Deletes the keys of a bank that were first used before that time; returns how many."""
    delete = schema.idempotency_keys.delete().where(_c.bank_id == bank_id, _c.created_at < before)
    return connection.execute(delete).rowcount
