"""Open messages: those that are not completely sealed, with their exact text."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from foxing.memory.storage import columns, schema

from .messages import Message, open_message, select_open

_c = schema.messages.c
MAX_OPEN = 20_000  # cap on messages read to fill the next pages; empty ones take cells as well


class SealedPart(NamedTuple):
    """Sealed part of a message."""

    message_id: int
    #: Number of characters on pages.
    chars: int
    #: True if all of them are on pages.
    complete: bool


def up_to(connection: Connection, bank_id: int, chars: int, newest: int) -> list[Message]:
    """Returns open messages in time order until they have `chars` unsealed characters; at least one if there is any.

    Messages with an id above `newest` are left out.
    """
    query = select_open.where(_c.bank_id == bank_id, _c.id <= newest).order_by(_c.created_at, _c.id).limit(MAX_OPEN)
    result: list[Message] = []
    total = 0
    with connection.execute(query.execution_options(yield_per=200)) as rows:
        for row in rows:
            message = open_message(connection, row)
            result.append(message)
            total += message.chars - message.sealed_chars
            if total >= chars:
                break
    return result


def missing(connection: Connection, message_ids: Collection[int]) -> frozenset[int]:
    """Returns the ids of messages that are not open, or do not exist."""
    present = connection.execute(select(_c.id).where(columns.among(_c.id, sorted(message_ids)))).scalars()
    return frozenset(message_ids).difference(present)


def mark_sealed(connection: Connection, parts: Sequence[SealedPart]) -> None:
    """Records the sealed part of each message. The row of a completely sealed message is deleted with its exact text;
    the message is in the manifests of its pages."""
    complete = [part.message_id for part in parts if part.complete]
    partial = [{"key_id": part.message_id, "sealed": part.chars} for part in parts if not part.complete]
    if complete:
        connection.execute(schema.messages.delete().where(columns.among(_c.id, complete)))
    if partial:
        update = schema.messages.update().where(_c.id == bindparam("key_id"))
        connection.execute(update.values(sealed_chars=bindparam("sealed")), partial)


def count(connection: Connection, bank_id: int) -> int:
    """Returns the number of open messages in a bank."""
    return connection.execute(select(func.count()).where(_c.bank_id == bank_id)).scalar_one()


def count_chars(connection: Connection, bank_id: int) -> int:
    """Returns the number of characters of open messages that are not on pages."""
    query = select(func.coalesce(func.sum(_c.chars - _c.sealed_chars), 0)).where(_c.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())
