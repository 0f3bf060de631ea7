"""Hybrid search: messages found by their words and by their meaning, scored together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.text.times.window import split_query

from .scores import Keys, Scores, fuse
from .search_index import Hit, SearchIndex, SearchQuery
from .vectors import CodeSearch, MessageVectors, QueryEmbedding, SearchScope

POOL = 1000  # passages that are found in each way and ranked together


@dataclass(frozen=True)
class CandidatePool:
    """What was found of a query."""

    #: hits of the index, best first, at most `POOL`
    hits: Sequence[Hit]
    #: of the hits and of what was found otherwise
    scores: Scores


@dataclass(frozen=True)
class HybridSearch:
    """An index of words, and the embeddings of messages."""

    index: SearchIndex
    vectors: MessageVectors

    def embed_query(self, text: str, now: datetime, timezone: str | None) -> QueryEmbedding:
        """The embedding of a question; none if it is a time alone, read against `now` and `timezone`. Embedders may be
        waited for, so it is to be called outside of transactions. Raises `InvalidTime`."""
        if not text.strip() or not split_query(text, now, timezone)[0].strip():
            return QueryEmbedding()
        return self.vectors.question(text)

    def pool(
        self, connection: Connection, query: SearchQuery, question: QueryEmbedding, preferred: MessageFilter | None
    ) -> CandidatePool:
        """The best passages of the query, and those of the `preferred` time, which may be none of the best."""
        hits = self.index.search(connection, query, limit=POOL)
        words = dict(hits)
        if preferred is not None:
            words |= dict(self.index.search(connection, replace(query, within=preferred), limit=POOL))
        by_words = Scores.of(words)
        asked = self.vectors.asked(connection, query.bank_id, question)
        if asked is None:
            return CandidatePool(hits, by_words)
        near = [self._near(connection, query, asked, within) for within in (query.within, preferred)]
        documents = np.unique(np.concatenate([by_words.documents, *near]))
        return CandidatePool(hits, fuse(by_words, asked.scores(documents)))

    def _near(
        self, connection: Connection, query: SearchQuery, asked: CodeSearch, within: MessageFilter | None
    ) -> Keys:
        if within is None:
            return np.zeros(0, dtype=np.int64)
        return asked.nearest(connection, SearchScope(within, query.newest), POOL)
