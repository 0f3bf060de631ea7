"""Candidates: the messages that match a query, in answer order, without their text."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from foxing.memory.ascending import distinct, is_in
from foxing.memory.errors import SearchIndexError
from foxing.memory.index.feedback import SEEDS
from foxing.memory.index.hybrid import POOL, CandidatePool, HybridSearch
from foxing.memory.index.scores import Scores, semantic_parts
from foxing.memory.index.search_index import SearchQuery, hits_of
from foxing.memory.index.vectors import QueryEmbedding
from foxing.memory.storage.repositories import banks, messages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.sealed import neighbours
from foxing.memory.text.identifiers import identifiers_in
from foxing.memory.text.passages import document_key, message_of, passage_of
from foxing.memory.values.recall import MatchScore
from foxing.memory.values.trust import recall_rank

from ..cursors import RankPosition, TimePosition, rank_position, time_position
from .ending import ended
from .identifiers import IdentifierPreference
from .query import Question, ResolvedQuery, narrowed, resolve
from .ranking import REACH, lend, lenders, ranked, with_holders
from .relevance import Signals, Values, relevance_of, signals_of, values_of
from .replacements import LEAST_COSINE
from .speakers import SpeakerPreference

FIRST = 64  # matches whose relevance is computed at a time; the most relevant one is among the first
EXAMINED = 100  # best hits whose time and speaker decide which of them the second look begins with
FEW = 48  # messages that are read in one batch whatever their length


@dataclass(frozen=True)
class Candidate:
    """A message, or a passage of one, that matches a query."""

    message: Message
    #: score for the query; None if the query has no words
    score: float | None = None
    #: probability that it belongs to an answer; None if the query has no words, and for a neighbour
    relevance: float | None = None
    #: key of the match that it is a neighbour of; None for a match
    neighbour_of: str | None = None
    #: number of the passage that matches; None for the whole message
    passage: int | None = None

    @property
    def document(self) -> int:
        """Document key of the passage, or of the first passage for a whole message."""
        return document_key(self.message.id, self.passage or 0)

    @property
    def chars(self) -> int:
        """Approximate length of the text shown, in characters."""
        return self.message.chars if self.passage is None else self.message.chars // self.message.passages


def find_candidates(
    connection: Connection, search: HybridSearch, bank_name: str, question: Question
) -> "RankedCandidates | CandidatesByTime | None":
    """Returns the matches that follow the cursor: best first, or in time order if the query has no words. Returns None
    if the query names a thread that does not exist. Raises `NotFound`, `InvalidTime`, `InvalidCursor`."""
    bank = banks.get(connection, bank_name)
    resolved = resolve(connection, bank, question)
    if resolved is None:
        return None
    if resolved.terms:
        return RankedCandidates(connection, bank.id, resolved, search, question.embedding)
    return CandidatesByTime(connection, bank.id, resolved)


@dataclass(frozen=True)
class RankedCandidates:
    """Matches, best first: the `POOL` best lexical and the `POOL` best semantic hits with their neighbours, ranked
    together, followed by the remaining lexical hits.

    Scores change when pages are sealed or age, so a cursor stores the passages already returned, not a score.
    """

    connection: Connection
    bank_id: int
    query: ResolvedQuery
    search: HybridSearch
    embedding: QueryEmbedding
    #: the candidate pool and its ranking, once they are needed; in Python 3.11, `cached_property` computes for one
    #: instance of a class at a time, so that searches would wait for each other
    _found_once: list[tuple[CandidatePool, Scores]] = field(default_factory=list, init=False, repr=False, compare=False)
    #: scores with what neighbours lend, before they are adjusted
    _lent_once: list[Scores] = field(default_factory=list, init=False, repr=False, compare=False)

    @cached_property
    def note(self) -> str | None:
        """Why semantic search was unavailable or incomplete; None if it was neither."""
        if self._found[0].codes is not None:
            return None
        return self.search.vectors.note(self.connection, self.bank_id, self.embedding)

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        """Yields all candidates in answer order, in batches of at most `size`. Raises `InvalidCursor`, and
        `SearchIndexError` if the index repeats a hit."""
        pool, ranking = self._found
        if self.query.min_relevance and self._most_relevant() < self.query.min_relevance:
            return
        every = len(ranking)
        if self.query.ending is not None:
            ranking = ended(ranking, self.query.ending)
        done = set(self._position.seen)
        relevance = np.zeros(1)
        for start in range(0, len(ranking), step := max(size, FIRST)):
            part = ranking[start : start + step]
            relevance = relevance_of(self.signals(start, start + len(part)))
            left = ~part.is_in(np.array(sorted(done), dtype=np.int64))
            yield from self._listed(part[left], relevance[left], size)
        if len(pool.hits) < POOL or len(ranking) < every:
            return
        lowest, least = (float(ranking.values[-1]) if len(ranking) else 0.0), relevance[-1:]
        done.update(ranking.documents.tolist(), pool.hits.documents.tolist())
        [last] = hits_of(pool.hits[-1:])
        while more := self.search.index.search(self.connection, self._query, after=last, limit=size):
            if more[-1] == last:
                raise SearchIndexError(
                    f"the search index '{self.search.index.name}' returned a passage twice; report it to its author"
                )
            rest = {hit.document: min(hit.score, lowest) for hit in more if hit.document not in done}
            yield from self._listed(Scores.of(rest), np.repeat(least, len(rest)), size)
            done.update(rest)
            last = more[-1]

    def next_cursor(self, examined: Sequence[Candidate], waiting: Collection[int] = ()) -> str:
        """Returns a cursor that continues after the candidates `examined` and first returns the documents `waiting`."""
        seen = self._position.seen | {candidate.document for candidate in examined}
        return self.query.cursor(RankPosition(self._position.newest, seen - set(waiting)).encoded())

    @property
    def position(self) -> RankPosition:
        """Position at which the answer continues."""
        return self._position

    def episode_cursor(self, given: Iterable[Message], waiting: Mapping[int, Sequence[int]]) -> str:
        """Returns a cursor that continues after the messages `given`, with those of episodes that are `waiting`, see
        `RankPosition.episodes`, and then with other matches."""
        documents = {document_key(message.id, n) for message in given for n in range(message.passages)}
        position = RankPosition(self._position.newest, self._position.seen | documents, waiting)
        return self.query.cursor(position.encoded())

    @property
    def ranked(self) -> int:
        """Number of passages that are ranked together."""
        return len(self._found[1])

    @property
    def message_ids(self) -> frozenset[int]:
        """Ids of the messages that have passages among those ranked together."""
        return frozenset(message_of(self._found[1].documents).tolist())

    def near(self, matches: Sequence[Candidate]) -> npt.NDArray[np.bool_] | None:
        """Returns bool[n, n], which matches are near in meaning; None if there are no embeddings."""
        codes = self._found[0].codes
        if codes is None or not matches:
            return None
        documents = np.array([match.document for match in matches], dtype=np.int64)
        return np.asarray(~(codes.cosines(documents) < LEAST_COSINE))  # what is not embedded yet is compared

    def parts(self, matches: Sequence[Candidate]) -> list[MatchScore]:
        """Returns the parts of the score of each match."""
        pool, _ = self._found
        similarity = Scores.of({}) if pool.similarity is None else semantic_parts(pool.similarity)
        own, lent = pool.scores.by_document, self._lent_once[-1].by_document
        documents = np.array([match.document for match in matches], dtype=np.int64)
        parts = []
        for match, alone, together, meaning in zip(
            matches,
            values_of(own, documents).tolist(),
            values_of(lent, documents).tolist(),
            values_of(similarity, documents).tolist(),
            strict=True,
        ):
            score, meant = match.score or 0.0, min(meaning, alone)
            parts.append(
                MatchScore(
                    message_id=match.message.key,
                    score=score,
                    words=round(alone - meant, 4),
                    meaning=round(meant, 4),
                    neighbours=round(together - alone, 4),
                    preference=round(min(1.0, score / together), 4) if together else 1.0,
                )
            )
        return parts

    def signals(self, start: int, stop: int) -> Signals:
        """Returns the signals of the matches `start` to `stop` of the best ones, whatever was already returned."""
        return signals_of(*self._found, start, stop)

    @cached_property
    def _query(self) -> SearchQuery:
        bound = None if self.query.position is None else self._position.newest  # the first page has no newer messages
        return SearchQuery(self.bank_id, self.query.terms, self.query.filter, bound)

    @property
    def _found(self) -> tuple[CandidatePool, Scores]:
        """The candidate pool and its ranking."""
        if not self._found_once:
            self._found_once.append(self._search())
        return self._found_once[0]

    def _search(self) -> tuple[CandidatePool, Scores]:
        preference = self.query.preference
        preferred = None if preference is None else narrowed(self.query.filter, preference.reach)
        named = identifiers_in(self.query.terms)
        reader = self.search.reader(self.connection, self.bank_id, self._query.newest)
        identifiers = IdentifierPreference(self.search.index, self.connection, self.bank_id, named, reader)
        pool = identifiers.adjusted(self.search.pool(self.connection, self._query, self.embedding, preferred))
        if reader is None:
            return pool, self._ranked(pool, None)
        speakers = SpeakerPreference.of(reader, self.query.speakers)
        again = self.search.look_again(reader, self._query, pool, self._seeds(pool.scores, speakers))
        if again is not pool:
            pool = identifiers.adjusted(again)
        return pool, self._ranked(pool, speakers)

    def _seeds(self, found: Scores, speakers: SpeakerPreference | None) -> Scores:
        """Returns the hits that the second look begins with: the best ones, adjusted by the preferences of the query,
        but before they lend to their neighbours."""
        best = found[np.argsort(-found.values, kind="stable")[:EXAMINED]]
        best = best[(best.values > 0) & (message_of(best.documents) <= self._position.newest)]
        return self._adjusted(best, speakers)[:SEEDS]

    def _adjusted(self, scores: Scores, speakers: SpeakerPreference | None) -> Scores:
        """Returns the passages sorted by score, adjusted by the time and the speakers that the query mentions."""
        if speakers is not None:
            scores = Scores(scores.documents, scores.values * speakers.factors(scores.documents))
        preference = self.query.preference
        dated = distinct(message_of(scores.documents)).tolist() if preference is not None else []
        return ranked(scores, preference, messages.times(self.connection, self.bank_id, dated))

    def _most_relevant(self) -> float:
        """Returns the relevance of the most relevant match; 0 if there is none."""
        first = min(FIRST, len(self._found[1]))
        return float(relevance_of(self.signals(0, first)).max(initial=0.0))

    @cached_property
    def _position(self) -> RankPosition:
        if self.query.position is None:
            return RankPosition(messages.newest_id(self.connection, self.bank_id), frozenset())
        return rank_position(self.query.position)

    def _ranked(self, pool: CandidatePool, speakers: SpeakerPreference | None) -> Scores:
        """Returns the hits and their neighbours that the query admits, by score, highest first."""
        found = pool.scores
        lending = lenders(found)
        surroundings = neighbours.around(self.connection, self.bank_id, message_of(lending.documents), REACH)
        scores = lend(found, lending, surroundings.rows, surroundings.several_passages)
        hit = scores.is_in(found.documents)
        ids = message_of(scores.documents)
        visible = ids <= self._position.newest
        if not self.query.filter.admits_all:
            borrowers = distinct(ids[~hit & visible]).tolist()
            admitted = messages.filter_ids(self.connection, self.bank_id, borrowers, self.query.filter)
            visible = is_in(ids, np.array(sorted(admitted), dtype=np.int64))
        lent = scores[hit | visible]
        self._lent_once.append(lent)
        ranking = self._adjusted(lent, speakers)
        return with_holders(ranking, values_of(pool.shares, ranking.documents))

    def _listed(self, ranking: Scores, relevance: Values, size: int) -> Iterator[list[Candidate]]:
        """Yields the candidates of `ranking` in batches of at most `size`, shorter where messages are long.
        `relevance`: that of each."""
        start = 0
        while start < len(ranking):
            part = ranking[start : start + size]
            ids = message_of(part.documents).tolist()
            if len(part) > FEW:
                lengths = messages.lengths(self.connection, self.bank_id, set(ids))
                first = messages.first_within(((i, lengths.pop(i, 0)) for i in ids), messages.MAX_CHARS)
                part = part[: len(first)]
            relevant = relevance[start : start + len(part)].tolist()
            start += len(part)
            found = messages.by_ids(self.connection, self.bank_id, set(ids[: len(part)]))
            batch = []
            for document, score, sure in zip(part.documents.tolist(), part.values.tolist(), relevant, strict=True):
                message = found.get(message_of(document))
                if message is not None and passage_of(document) < message.passages:  # the index may lag behind
                    passage = passage_of(document) if message.passages > 1 else None
                    batch.append(Candidate(message, round(score, 4), round(sure, 4), passage=passage))
            yield sorted(batch, key=_by_trust)


def _by_trust(candidate: Candidate) -> tuple[float, int]:
    """Returns the place of a candidate in its batch: by score, and where that is equal by trust class."""
    message = candidate.message
    return -(candidate.score or 0.0), recall_rank(message.trust, suspicious=message.suspicious)


@dataclass(frozen=True)
class CandidatesByTime:
    """Matches in time order; messages postponed on an earlier page come first."""

    connection: Connection
    bank_id: int
    query: ResolvedQuery
    note: str | None = None

    def batches(self, size: int) -> Iterator[list[Candidate]]:
        """See `RankedCandidates.batches`."""
        position = self._position
        waiting = [] if position is None else list(position.waiting)
        while waiting:
            lengths = messages.lengths(self.connection, self.bank_id, waiting)
            first = messages.first_within(((i, lengths.get(i, 0)) for i in waiting), messages.MAX_CHARS)
            rows = messages.fetch_ordered(self.connection, self.bank_id, self.query.filter, first)
            yield [Candidate(message) for message in rows]
            waiting = waiting[len(first) :]
        after = None if position is None else (position.at, position.id)
        while rows := messages.window(self.connection, self.bank_id, self.query.filter, after=after, limit=size):
            yield [Candidate(message) for message in rows]
            after = rows[-1].created_at, rows[-1].id

    @property
    def ranked(self) -> int:
        """Number of passages that are ranked together: none."""
        return 0

    def near(self, matches: Sequence[Candidate]) -> npt.NDArray[np.bool_] | None:
        """See `RankedCandidates.near`; matches in time order are not compared."""
        return None

    def next_cursor(self, examined: Sequence[Candidate], waiting: Collection[int] = ()) -> str:
        """See `RankedCandidates.next_cursor`."""
        places = [(candidate.message.created_at, candidate.message.id) for candidate in examined]
        left = {message_of(document) for document in waiting}
        if self._position is not None:
            places.append((self._position.at, self._position.id))
            left.update({*self._position.waiting} - {candidate.message.id for candidate in examined})
        return self.query.cursor(TimePosition(*max(places), tuple(sorted(left))).encoded())

    @cached_property
    def _position(self) -> TimePosition | None:
        return None if self.query.position is None else time_position(self.query.position)


Candidates = RankedCandidates | CandidatesByTime
