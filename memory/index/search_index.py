"""The protocol of search indexes.

Another package adds an index in the entry point group `foxing.search_indexes`; the entry point is a callable without
arguments that returns a `SearchIndex`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from sqlalchemy import Connection, event

from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.text.passages import message_of, passage_of

from .scores import Scores

#: Message id → its passages in order → term → number of occurrences in the passage.
TermCounts = Mapping[int, Sequence[Mapping[str, int]]]


class Hit(NamedTuple):
    """A passage of a message that a search found."""

    #: document key, see `foxing.memory.text.passages.document_key`
    document: int
    #: higher is better; comparable only within a query
    score: float
    #: share of the query's words that the passage contains, each counted once and weighted by its rarity in the bank, 0
    #: to 1; words that no passage contains count as the rarest. Of a long query, a part may be enough for 1
    share: float

    @property
    def message_id(self) -> int:
        """Id of the message."""
        return message_of(self.document)

    @property
    def passage(self) -> int:
        """Number of the passage in its message, from 0."""
        return passage_of(self.document)


class IndexStatistics(NamedTuple):
    """The size of the index of a bank."""

    #: number of messages with at least one term
    messages: int
    #: number of (passage, term) pairs
    entries: int
    #: estimated size on disk, overhead included
    bytes: int


@dataclass(frozen=True)
class SearchQuery:
    """A lexical search in one bank."""

    bank_id: int
    #: term → number of occurrences in the query
    terms: Mapping[str, int]
    #: restricts the hits; scores do not depend on it
    within: MessageFilter = field(default_factory=MessageFilter)
    #: highest message id that counts, None for all; messages stored later change neither hits nor scores
    newest: int | None = None


@runtime_checkable
class SearchIndex(Protocol):
    """A lexical index of the messages of all banks. Safe to share between threads.

    Hits are passages; most messages have one.

    Each method is called in the transaction of `connection`. An index that keeps its data elsewhere applies changes
    with `after_commit`, because a transaction may be rolled back, and filters with `messages.filter_ids`.
    `foxing.memory.recall.conformance` checks an implementation.
    """

    name: str

    def add(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        """Adds messages of a bank that are not in the index."""

    def replace(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        """Replaces the terms of messages of a bank."""

    def fade(self, connection: Connection, bank_id: int, counts: TermCounts, most: int | None) -> None:
        """Removes from messages of a bank the terms that have faded, except rare ones.

        `counts`: the terms that can still be read. Terms that are in the index as well stay with the passages and
        counts that they have there, others are added. Any other term of a message stays if at most `most` messages of
        the bank contain it, this one included; None: all stay.
        """

    def remove(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
        """Removes messages of a bank; those that are not in the index are ignored."""

    def compact(self, connection: Connection, bank_id: int) -> None:
        """Compacts recently added messages if that is worth the time; called after messages of the bank are sealed."""

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        """Returns up to `limit` passages that contain a term of the query, highest score first; equal scores are sorted
        newest message first, then by passage.

        `after`: continues after this hit of the same query in the same transaction.
        """

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        """Returns term → number of passages of the bank that contain it, without the terms that none contains."""

    def terms_of(
        self, connection: Connection, bank_id: int, message_ids: Collection[int], terms: Collection[str]
    ) -> Mapping[int, Collection[str]]:
        """Returns message id → those of `terms` that the index has for it, without messages that have none."""

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        """Returns the size of the index of a bank."""


@runtime_checkable
class SizedIndex(SearchIndex, Protocol):
    """A search index that can also give its size in many banks at once, for lists of banks."""

    def total_bytes(self, connection: Connection, bank_ids: Sequence[int]) -> Mapping[int, int]:
        """Returns bank id → bytes of the index of the bank; 0 for banks that are not in it."""


def index_bytes(index: SearchIndex, connection: Connection, bank_ids: Sequence[int]) -> Mapping[int, int]:
    """Returns bank id → bytes of an index in the bank."""
    if isinstance(index, SizedIndex):
        return index.total_bytes(connection, bank_ids)
    return {bank_id: index.statistics(connection, bank_id).bytes for bank_id in bank_ids}


@runtime_checkable
class ScoringIndex(SearchIndex, Protocol):
    """A search index that can also give its hits as arrays, which takes less time than a list of them."""

    def scores(self, connection: Connection, query: SearchQuery, *, limit: int) -> Scores:
        """Returns the first hits of `search`, in their order, with their shares."""


def scores_of(index: SearchIndex, connection: Connection, query: SearchQuery, limit: int) -> Scores:
    """Returns the first `limit` hits of a query, best first, with their shares."""
    if isinstance(index, ScoringIndex) and _defining(index, "scores") <= _defining(index, "search"):
        return index.scores(connection, query, limit=limit)
    hits = index.search(connection, query, limit=limit)
    documents, values, shares = zip(*hits, strict=True) if hits else ((), (), ())
    return Scores(np.array(documents, dtype=np.int64), np.array(values, dtype=float), np.array(shares, dtype=float))


def _defining(index: SearchIndex, method: str) -> int:
    """Returns the place in the method resolution order of the class that defines a method: an index derived from
    another one may have a search of its own, which the scores of the other do not know."""
    return next(place for place, base in enumerate(type(index).__mro__) if method in vars(base))


def hits_of(scores: Scores) -> list[Hit]:
    """Returns scores as hits."""
    shares = np.zeros(len(scores)) if scores.shares is None else scores.shares
    return list(map(Hit, scores.documents.tolist(), scores.values.tolist(), shares.tolist()))


def after_commit(connection: Connection, action: Callable[[], object]) -> None:
    """Calls `action` when the transaction of `connection` is committed, and drops it on rollback."""
    pending = [action]

    def committed(_: Connection) -> None:
        while pending:
            pending.pop()()

    def rolled_back(_: Connection) -> None:
        pending.clear()

    event.listen(connection, "commit", committed)
    event.listen(connection, "rollback", rolled_back)
