"""Idempotency keys of writes, with the answer that each was given."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, cast, func, select

from foxing.memory.storage import schema


def find_answer(connection: Connection, bank_id: int, key: str) -> tuple[bytes, dict[str, Any]] | None:
    """The digest of the request that used `key` first, and its answer."""
    table = schema.idempotency_keys.c
    query = select(table.digest, table.answer).where(table.bank_id == bank_id, table.key == key)
    row = connection.execute(query).first()
    return (bytes(row.digest), row.answer) if row else None


def remember_answer(
    connection: Connection, bank_id: int, key: str, digest: bytes, answer: dict[str, Any], now: datetime
) -> None:
    connection.execute(
        schema.idempotency_keys.insert().values(bank_id=bank_id, key=key, digest=digest, answer=answer, created_at=now)
    )


def forget_answers(connection: Connection, bank_id: int, before: datetime) -> int:
    table = schema.idempotency_keys
    return connection.execute(table.delete().where(table.c.bank_id == bank_id, table.c.created_at < before)).rowcount


def answer_bytes(connection: Connection, bank_id: int) -> int:
    table = schema.idempotency_keys.c
    size = schema.octet_length(table.key) + schema.octet_length(cast(table.answer, Text))
    query = select(func.coalesce(func.sum(size), 0)).where(table.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())
