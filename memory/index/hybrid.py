"""Hybrid search: messages found by their words and by their meaning, scored together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from foxing.memory.storage.message_filter import MessageFilter

from .scores import Scores, fuse
from .search_index import Hit, SearchIndex, SearchQuery
from .vectors import MessageVectors, QueryEmbedding

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

    def pool(
        self, connection: Connection, query: SearchQuery, question: QueryEmbedding, preferred: MessageFilter | None
    ) -> CandidatePool:
        """The best passages of the query, and those of the `preferred` time, which may be none of the best."""
        hits = self.index.search(connection, query, limit=POOL)
        words = dict(hits)
        if preferred is not None:
            words |= dict(self.index.search(connection, replace(query, within=preferred), limit=POOL))
        by_words = Scores.of(words)
        codes = self.vectors.search(connection, query.bank_id, question)
        if codes is None:
            return CandidatePool(hits, by_words)
        filters = [query.within] if preferred is None else [query.within, preferred]
        near = [codes.nearest(connection, within, query.newest, POOL) for within in filters]
        documents = np.unique(np.concatenate([by_words.documents, *near]))
        return CandidatePool(hits, fuse(by_words, codes.scores(documents)))
