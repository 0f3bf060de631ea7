"""Quarantined messages: data with the form of instructions, apart from all that recall and pages read."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, func, select

from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import is_turn_id
from foxing.memory.storage import columns, schema
from foxing.memory.values.messages import NewMessage

from .batches import batched, sum_by_bank
from .messages import Message

_c = schema.quarantine.c
SIZES = [sum_by_bank(_c.bank_id, columns.octet_length(_c.message))]


@dataclass(frozen=True)
class QuarantineRow:
    """A quarantined message."""

    key: str
    thread: str
    #: Name of the rule that recognised instructions in it.
    rule: str
    digest: bytes
    arrived_at: datetime
    #: The `NewMessage` as JSON, with id, thread and times.
    json: str
    #: Order of arrival; None before it is inserted.
    id: int | None = None

    @classmethod
    def of(cls, message: NewMessage, rule: str, digest: bytes) -> "QuarantineRow":
        """Returns the row of a message with id, thread and times."""
        if message.id is None or message.thread is None or message.arrived_at is None:
            raise ValueError("a quarantined message needs an id, a thread and times")
        plain = message if message.parts is None else message.with_content(message.parts)
        document = compact_json(plain.model_dump(mode="json", exclude_none=True))
        return cls(message.id, message.thread, rule, digest, message.arrived_at, document)

    @cached_property
    def message(self) -> NewMessage:
        """The message."""
        return NewMessage.model_validate(json.loads(self.json))

    @property
    def as_stored(self) -> Message:
        """The message as if it were stored and sealed, for comparison."""
        message = self.message
        chars = len(message.text)
        at = message.created_at or self.arrived_at
        return Message(
            *(0, self.key, 0, self.thread, message.role, message.name, at, None, None, chars, chars, self.digest)
        )


_columns = (_c.key, _c.thread, _c.rule, _c.digest, _c.arrived_at, _c.message, _c.id)


def by_keys(connection: Connection, bank_id: int, keys: Sequence[str]) -> dict[str, QuarantineRow]:
    """Returns key → row, for messages in the quarantine of a bank."""
    rows: dict[str, QuarantineRow] = {}
    for part in batched(keys):
        query = select(*_columns).where(_c.bank_id == bank_id, _c.key.in_(part))
        rows |= {row.key: QuarantineRow(*row) for row in connection.execute(query)}
    return rows


def list_after(connection: Connection, bank_id: int, after: int, limit: int) -> list[QuarantineRow]:
    """Returns up to `limit` rows in the order of their arrival, after that with the id `after`."""
    query = select(*_columns).where(_c.bank_id == bank_id, _c.id > after).order_by(_c.id).limit(limit)
    return [QuarantineRow(*row) for row in connection.execute(query)]


def count(connection: Connection, bank_id: int) -> int:
    """Returns the number of rows of a bank."""
    return int(connection.execute(select(func.count()).where(_c.bank_id == bank_id)).scalar_one())


def insert(connection: Connection, bank_id: int, rows: Collection[QuarantineRow]) -> None:
    """Inserts rows."""
    values = [
        {
            "bank_id": bank_id,
            "key": row.key,
            "thread": row.thread,
            "rule": row.rule,
            "digest": row.digest,
            "arrived_at": row.arrived_at,
            "message": row.json,
        }
        for row in rows
    ]
    connection.execute(schema.quarantine.insert(), values)


def keys_of_thread(connection: Connection, bank_id: int, thread: str) -> list[str]:
    """Returns the keys of the messages of a thread."""
    return list(connection.execute(select(_c.key).where(_c.bank_id == bank_id, _c.thread == thread)).scalars())


def delete(connection: Connection, bank_id: int, keys: Sequence[str]) -> None:
    """Deletes rows."""
    for part in batched(keys):
        connection.execute(schema.quarantine.delete().where(_c.bank_id == bank_id, _c.key.in_(part)))


def erase(connection: Connection, bank_id: int, keys: Sequence[str]) -> None:
    """Deletes rows and notes turns of sessions as erased, so that a transcript does not bring them back."""
    delete(connection, bank_id, keys)
    turns = [key for key in keys if is_turn_id(key)]
    if not turns:
        return
    c = schema.erased_messages.c
    lowest = connection.execute(select(func.min(c.message_id)).where(c.bank_id == bank_id)).scalar() or 0
    first = min(lowest, 0) - 1  # they have had no number of a message
    noted = [{"bank_id": bank_id, "message_id": first - place, "turn": turn} for place, turn in enumerate(turns)]
    connection.execute(schema.erased_messages.insert(), noted)
