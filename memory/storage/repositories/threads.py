"""Threads in the order of their last messages."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from foxing.memory.storage import schema
from foxing.memory.storage.message_filter import instant

_m = schema.messages.c
_r = schema.message_ranges.c


class ThreadTotals(NamedTuple):
    """A thread with the number and the times of its messages. Orders by time."""

    last_at: datetime
    id: int
    messages: int
    first_at: datetime


def newest_first(connection: Connection, bank_id: int) -> list[ThreadTotals]:
    """Returns the threads of a bank that have messages by the times of their last ones, newest first, then by id."""
    # a message that is sealed in part is counted on its first page
    begun = func.count().filter(_m.sealed_chars == 0)
    still_open = select(_m.thread_id, begun, func.min(_m.created_at), func.max(_m.created_at))
    sealed = select(_r.thread_id, func.sum(_r.messages), func.min(_r.first_at), func.max(_r.last_at))
    rows: list[tuple[Any, ...]] = [
        tuple(row) for row in connection.execute(still_open.where(_m.bank_id == bank_id).group_by(_m.thread_id))
    ]
    for thread_id, number, *times in connection.execute(sealed.where(_r.bank_id == bank_id).group_by(_r.thread_id)):
        rows.append((thread_id, int(number), *map(instant, times)))
    threads: dict[int, ThreadTotals] = {}
    for thread_id, number, first_at, last_at in rows:
        other = threads.get(thread_id, ThreadTotals(last_at, thread_id, 0, first_at))
        threads[thread_id] = ThreadTotals(
            max(last_at, other.last_at), thread_id, number + other.messages, min(first_at, other.first_at)
        )
    return sorted(threads.values(), reverse=True)
