"""Candidates: the messages that match a query, in the order of the answer, without their text."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from sqlalchemy import Connection

from foxing.memory.errors import SearchIndexError
from foxing.memory.index.hybrid import POOL, HybridSearch
from foxing.memory.index.scores import Scores
from foxing.memory.index.search_index import Hit, SearchQuery
from foxing.memory.index.vectors import QueryEmbedding
from foxing.memory.storage.repositories import messages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.sealed import neighbours
from foxing.memory.text.passages import document_key, message_of, passage_of

from .cursors import Position, RankPosition, TimePosition, rank_position, time_position
from .query import ResolvedQuery, narrowed
from .ranking import REACH, lend, lenders, ranked

FEW = 32  # messages that can be read at once, however long they are


@dataclass(frozen=True)
class Candidate:
    """A message, or a passage of one, that matches a query."""

    message: Message
    #: score for the query; None if the query has no words
    score: float | None = None
    #: key of the match that it stands beside; None for a match
    neighbour_of: str | None = None
    #: which passage of the message matches; None for the whole message
    passage: int | None = None

    @property
    def document(self) -> int:
        """Key of the passage, or of the first one."""
        return document_key(self.message.id, self.passage or 0)

    @property
    def chars(self) -> int:
        """About how many characters of the message are shown."""
        return self.message.chars if self.passage is None else self.message.chars // self.message.passages


class Candidates(Protocol):
    """The matches of a query that previous pages of the answer have not dealt with."""

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        """All of them in the order of the answer, in batches of about `size`."""

    def after(self, examined: Sequence[Candidate], waiting: Collection[int]) -> Position:
        """Where the answer continues: after the `examined`, but for those whose documents are `waiting`."""


def candidates(
    connection: Connection, search: HybridSearch, bank_id: int, query: ResolvedQuery, question: QueryEmbedding
) -> "RankedCandidates | CandidatesByTime":
    """The matches from the position of `query` on: best first, or in time order if the query has no words. Raises
    `InvalidCursor` for an invalid position."""
    if query.terms:
        return RankedCandidates(connection, search, bank_id, query, question)
    return CandidatesByTime(connection, bank_id, query)


class RankedCandidates:
    """Best first: the `POOL` passages that words, and those that meaning find best, and their neighbours, ranked
    together; and then what else the index of words finds.

    Scores change when pages are sealed or age, so a position holds the passages that were dealt with, not a score.
    """

    def __init__(
        self, connection: Connection, search: HybridSearch, bank_id: int, query: ResolvedQuery, question: QueryEmbedding
    ) -> None:
        position = None if query.position is None else rank_position(query.position)
        self._connection = connection
        self._bank_id = bank_id
        self._search = search
        self._index = search.index
        self._question = question
        self._newest = messages.newest_id(connection, bank_id) if position is None else position.newest
        self._seen = frozenset[int]() if position is None else position.seen
        self._preference = query.preference
        bound = None if position is None else position.newest  # on the first page nothing is newer
        self._query = SearchQuery(bank_id, query.terms, query.filter, bound)

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        preferred = None if self._preference is None else narrowed(self._query.within, self._preference.reach)
        pool = self._search.pool(self._connection, self._query, self._question, preferred)
        ranking = self._ranked(pool.scores)
        left = ranking[~ranking.is_in(np.array(list(self._seen), dtype=np.int64))] if self._seen else ranking
        yield from self._listed(left, size)
        if len(pool.hits) == POOL:
            lowest = float(ranking.values[-1]) if len(ranking) else 0.0
            yield from self._beyond(pool.hits, self._seen | set(ranking.documents.tolist()), lowest, size)

    def after(self, examined: Sequence[Candidate], waiting: Collection[int]) -> Position:
        seen = self._seen | {candidate.document for candidate in examined}
        return RankPosition(self._newest, seen - set(waiting)).encoded()

    def _ranked(self, found: Scores) -> Scores:
        """What was found and what stands beside it, by score."""
        lending = lenders(found)
        ids = np.unique(message_of(lending.documents)).tolist()
        surroundings = neighbours.around(self._connection, self._bank_id, ids, REACH)
        scores = self._admitted(lend(found, lending, surroundings.rows, surroundings.several_passages), found)
        said = np.unique(message_of(scores.documents)).tolist() if self._preference is not None else []
        return ranked(scores, self._preference, messages.times(self._connection, self._bank_id, said))

    def _admitted(self, scores: Scores, found: Scores) -> Scores:
        """`scores` without the neighbours that the query leaves out."""
        hit = scores.is_in(found.documents)
        ids = message_of(scores.documents)
        visible = ids <= self._newest
        within = self._query.within
        if not within.admits_all:
            lent = np.unique(ids[~hit & visible]).tolist()
            admitted = messages.filter_ids(self._connection, self._bank_id, lent, within)
            visible = np.isin(ids, np.array(list(admitted), dtype=np.int64))
        return scores[hit | visible]

    def _beyond(
        self, hits: Sequence[Hit], taken: Collection[int], lowest: float, size: int
    ) -> Iterator[list[Candidate]]:
        """What the index finds after `hits`, without the passages `taken`. No score is above `lowest`."""
        searched = {hit.document for hit in hits}
        while hits := self._index.search(self._connection, self._query, after=(last := hits[-1]), limit=size):
            if hits[-1] == last:
                raise SearchIndexError(
                    f"the search index '{self._index.name}' returned a passage twice; report it to its author"
                )
            left = [hit for hit in hits if hit.document not in searched and hit.document not in taken]
            searched |= {hit.document for hit in hits}
            yield from self._listed(Scores.of({hit.document: min(hit.score, lowest) for hit in left}), size)

    def _listed(self, ranking: Scores, size: int) -> Iterator[list[Candidate]]:
        """The candidates in batches of `size`, or of messages that are not too long together."""
        start = 0
        while start < len(ranking):
            part = ranking[start : start + size]
            if len(part) > FEW:
                part = part[: self._fitting(part)]
            yield self._candidates(part)
            start += len(part)

    def _fitting(self, part: Scores) -> int:
        """How many of the passages are of messages that can be read at once."""
        ids = message_of(part.documents).tolist()
        lengths = messages.lengths(self._connection, self._bank_id, set(ids))
        first = messages.first_within(((i, lengths.pop(i, 0)) for i in ids), messages.MAX_CHARS)
        return len(first)

    def _candidates(self, part: Scores) -> list[Candidate]:
        found = messages.by_ids(self._connection, self._bank_id, np.unique(message_of(part.documents)).tolist())
        result = []
        for document, score in zip(part.documents.tolist(), part.values.tolist(), strict=True):
            message = found.get(message_of(document))
            if message is not None and passage_of(document) < message.passages:  # an index may hold more than there is
                passage = passage_of(document) if message.passages > 1 else None
                result.append(Candidate(message, round(score, 4), passage=passage))
        return result


class CandidatesByTime:
    """In time order; messages that wait since an earlier page come first."""

    def __init__(self, connection: Connection, bank_id: int, query: ResolvedQuery) -> None:
        self._connection = connection
        self._bank_id = bank_id
        self._filter = query.filter
        self._position = None if query.position is None else time_position(query.position)

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        position = self._position
        waiting = [] if position is None else list(position.waiting)
        while waiting:
            lengths = messages.lengths(self._connection, self._bank_id, waiting)
            first = messages.first_within(((i, lengths.get(i, 0)) for i in waiting), messages.MAX_CHARS)
            rows = messages.fetch_ordered(self._connection, self._bank_id, self._filter, first)
            yield [Candidate(message) for message in rows]
            waiting = waiting[len(first) :]
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
        left = {message_of(document) for document in waiting}
        return TimePosition(*max(places), tuple(sorted({*unread, *left}))).encoded()
