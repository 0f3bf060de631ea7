"""Candidates: the messages that match a query, in the order of the answer, without their text."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from foxing.memory.errors import SearchIndexError
from foxing.memory.storage.repositories import messages
from foxing.memory.storage.repositories.messages import Message

from .cursors import Position, RankPosition, TimePosition, rank_position, time_position
from .query import ResolvedQuery
from .search_index import SearchIndex, SearchQuery


@dataclass(frozen=True)
class Candidate:
    """A message that matches a query."""

    message: Message
    #: score of the index; None if the query has no words
    score: float | None = None


class Candidates(Protocol):
    """The matches of a query that previous pages of the answer have not dealt with."""

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        """All of them in the order of the answer, in batches of about `size`."""

    def after(self, examined: Sequence[Candidate], waiting: Collection[int]) -> Position:
        """Where the answer continues: after the `examined`, but for those whose message ids are `waiting`."""


def candidates(
    connection: Connection, index: SearchIndex, bank_id: int, query: ResolvedQuery
) -> "RankedCandidates | CandidatesByTime":
    """The matches from the position of `query` on: best first, or in time order if the query has no words. Raises
    `InvalidCursor` for an invalid position."""
    if query.terms:
        return RankedCandidates(connection, index, bank_id, query)
    return CandidatesByTime(connection, bank_id, query)


class RankedCandidates:
    """Best first.

    Scores change when pages are sealed or age, so a position holds the messages that were dealt with, not a score.
    """

    def __init__(self, connection: Connection, index: SearchIndex, bank_id: int, query: ResolvedQuery) -> None:
        position = None if query.position is None else rank_position(query.position)
        self._connection = connection
        self._index = index
        self._newest = messages.newest_id(connection) if position is None else position.newest
        self._seen = frozenset[int]() if position is None else position.seen
        bound = None if position is None else position.newest  # on the first page nothing is newer
        self._query = SearchQuery(bank_id, query.terms, query.filter, bound)

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        taken = set(self._seen)
        searched: set[int] = set()
        hits = self._index.search(self._connection, self._query, limit=size + len(taken))
        while hits:
            if not searched.isdisjoint(hit.message_id for hit in hits):
                raise SearchIndexError(
                    f"the search index '{self._index.name}' returned a message twice; report it to its author"
                )
            searched |= {hit.message_id for hit in hits}
            new = [hit for hit in hits if hit.message_id not in taken]
            taken |= {hit.message_id for hit in new}
            found = messages.by_ids(self._connection, [hit.message_id for hit in new])
            yield [Candidate(found[hit.message_id], round(hit.score, 4)) for hit in new if hit.message_id in found]
            hits = self._index.search(self._connection, self._query, after=hits[-1], limit=size)

    def after(self, examined: Sequence[Candidate], waiting: Collection[int]) -> Position:
        seen = self._seen | {candidate.message.id for candidate in examined}
        return RankPosition(self._newest, seen - set(waiting)).encoded()


class CandidatesByTime:
    """In time order; messages that wait since an earlier page come first."""

    def __init__(self, connection: Connection, bank_id: int, query: ResolvedQuery) -> None:
        self._connection = connection
        self._bank_id = bank_id
        self._filter = query.filter
        self._position = None if query.position is None else time_position(query.position)

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        position = self._position
        if position is not None and position.waiting:
            rows = messages.listed(self._connection, self._bank_id, self._filter, position.waiting)
            yield [Candidate(message) for message in rows]
        after: tuple[datetime, int] | None = None if position is None else (position.at, position.id)
        while rows := messages.window(self._connection, self._bank_id, self._filter, after=after, limit=size):
            yield [Candidate(message) for message in rows]
            after = rows[-1].created_at, rows[-1].id

    def after(self, examined: Sequence[Candidate], waiting: Collection[int]) -> Position:
        places = [(candidate.message.created_at, candidate.message.id) for candidate in examined]
        before = self._position
        if before is not None:
            places.append((before.at, before.id))
        done = {candidate.message.id for candidate in examined}
        unread = () if before is None else [i for i in before.waiting if i not in done]
        return TimePosition(*max(places), tuple(sorted({*unread, *waiting}))).encoded()
