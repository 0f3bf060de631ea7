"""Recall weights: exponentially decaying counts of the recalls of each message.

A recall loses half of its weight every `HALF_LIFE`. The sum is stored relative to `EPOCH`, where a recall weighs 2 to
the power of the half-lives since then. Adding a recall therefore does not change earlier ones, and processes can add in
any order.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, literal, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import insert_into

from . import messages
from .batches import sum_by_bank

HALF_LIFE = timedelta(days=90)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
#: Cap on half-lives from the epoch, about 220 years, which leaves room for sums in a float64.
MAX_HALF_LIVES = 900.0
ROW_BYTES = 16

_c = schema.recall_weights.c


def weight_at(time: datetime) -> float:
    """Returns the weight of a recall at `time`, relative to `EPOCH`."""
    return float(2.0 ** max(-MAX_HALF_LIVES, min((time - EPOCH) / HALF_LIFE, MAX_HALF_LIVES)))


def add(connection: Connection, bank_id: int, weights: Mapping[str, float]) -> int:
    """Adds to the weights of messages, given by key. Returns how many messages were changed. Unknown keys are
    ignored."""
    by_key = messages.by_keys(connection, bank_id, list(weights))
    ids = {message.id: weights[key] for key, message in by_key.items()}
    if ids:
        statement = insert_into(connection, schema.recall_weights)
        statement = statement.on_conflict_do_update(
            index_elements=["bank_id", "message_id"], set_={"weight": _c.weight + statement.excluded.weight}
        )
        # in order of id, to avoid deadlocks
        rows = [{"bank_id": bank_id, "message_id": i, "weight": weight} for i, weight in sorted(ids.items())]
        connection.execute(statement, rows)
    return len(ids)


def strengths(connection: Connection, bank_id: int, message_ids: Collection[int], now: datetime) -> dict[int, float]:
    """Returns message id → recall weight at `now`, for messages that have one."""
    of_messages = columns.among(_c.message_id, list(message_ids))
    query = select(_c.message_id, _c.weight).where(_c.bank_id == bank_id, of_messages)
    return {message_id: weight / weight_at(now) for message_id, weight in connection.execute(query)}


#: Sizes of the rows of each bank, in bytes.
SIZES = [sum_by_bank(_c.bank_id, literal(ROW_BYTES))]
