"""How often and how lately each message was recalled.

A recall counts half for every `HALF_LIFE` that has passed since. The sum is stored as it would be at `EPOCH`, when
each counted 2 to the half-lives until it happened: so adding a recall changes nothing of those before it, and any
number of processes add in any order.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import insert_into

from . import messages

HALF_LIFE = timedelta(days=90)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
#: Half-lives from the epoch beyond which times count as one: some 220 years, which a float64 holds with room for sums.
FARTHEST = 900.0
ROW_BYTES = 16

_c = schema.recall_weights.c


def weight_at(time: datetime) -> float:
    """What a recall at `time` counts at `EPOCH`."""
    return float(2.0 ** max(-FARTHEST, min((time - EPOCH) / HALF_LIFE, FARTHEST)))


def add(connection: Connection, bank_id: int, weights: Mapping[str, float]) -> int:
    """Adds to the weights of messages, by their keys; how many were changed. Keys that are no message's are ignored."""
    found = messages.by_keys(connection, bank_id, list(weights))
    ids = {message.id: weights[key] for key, message in found.items()}
    if ids:
        statement = insert_into(connection, schema.recall_weights)
        statement = statement.on_conflict_do_update(
            index_elements=["bank_id", "message_id"], set_={"weight": _c.weight + statement.excluded.weight}
        )
        # in the order of their ids, so that two processes do not wait for each other
        rows = [{"bank_id": bank_id, "message_id": i, "weight": weight} for i, weight in sorted(ids.items())]
        connection.execute(statement, rows)
    return len(ids)


def strengths(connection: Connection, bank_id: int, message_ids: Collection[int], now: datetime) -> dict[int, float]:
    """Message id → its recall weight at `now`, for those that have one."""
    of_messages = columns.among(_c.message_id, list(message_ids))
    query = select(_c.message_id, _c.weight).where(_c.bank_id == bank_id, of_messages)
    return {message_id: weight / weight_at(now) for message_id, weight in connection.execute(query)}


def total_bytes(connection: Connection, bank_id: int) -> int:
    """Bytes of the rows of a bank."""
    query = select(func.count()).where(_c.bank_id == bank_id)
    return ROW_BYTES * int(connection.execute(query).scalar_one())
