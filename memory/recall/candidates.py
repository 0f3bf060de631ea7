"""Candidates: the messages that match a query, in the order of the answer, without their text."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.storage.repositories import index, messages
from foxing.memory.storage.repositories.index import IndexQuery
from foxing.memory.storage.repositories.messages import Message

from .cursors import Position, rank_position, time_position
from .query import ResolvedQuery


@dataclass(frozen=True)
class Candidate:
    """A message that matches a query."""

    message: Message
    #: BM25 score; None if the query has no words
    score: float | None
    #: where the answer continues after this message
    position: Position


def candidates(
    connection: Connection, bank_id: int, query: ResolvedQuery, position: Position | None, batch_size: int
) -> Iterator[list[Candidate]]:
    """All matches after `position`, in batches of at most `batch_size`: best first, or in time order if the query has
    no words. Raises `InvalidCursor` for an invalid position."""
    find = _ranked if query.terms else _by_time
    return find(connection, bank_id, query, position, batch_size)


def _ranked(
    connection: Connection, bank_id: int, query: ResolvedQuery, position: Position | None, batch_size: int
) -> Iterator[list[Candidate]]:
    offset, newest = (0, None) if position is None else rank_position(position)
    bound = messages.newest_id(connection) if newest is None else newest
    while True:
        wanted = IndexQuery(bank_id, query.terms, query.filter, newest)
        hits = index.search(connection, wanted, limit=batch_size, offset=offset)
        if not hits:
            return
        found = messages.by_ids(connection, [hit.message_id for hit in hits])
        yield [
            Candidate(found[hit.message_id], round(hit.score, 4), [offset + number, bound])
            for number, hit in enumerate(hits, start=1)
        ]
        offset += len(hits)


def _by_time(
    connection: Connection, bank_id: int, query: ResolvedQuery, position: Position | None, batch_size: int
) -> Iterator[list[Candidate]]:
    after: tuple[datetime, int] | None = time_position(position) if position is not None else None
    while True:
        rows = messages.window(connection, bank_id, query.filter, after=after, limit=batch_size)
        if not rows:
            return
        yield [Candidate(message, None, [message.created_at.isoformat(), message.id]) for message in rows]
        after = rows[-1].created_at, rows[-1].id
