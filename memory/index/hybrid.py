"""Hybrid search: fuses lexical and semantic scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from foxing.memory.storage.message_filter import MessageFilter

from .scores import Scores, fuse
from .search_index import Hit, SearchIndex, SearchQuery
from .vectors import MessageVectors, QueryEmbedding

POOL = 1000  # maximum number of passages from each search that are ranked together


@dataclass(frozen=True)
class CandidatePool:
    """The candidates of a query."""

    #: lexical hits, best first, at most `POOL`
    hits: Sequence[Hit]
    #: fused scores of the lexical and the semantic hits
    scores: Scores


@dataclass(frozen=True)
class HybridSearch:
    """A lexical index and the embeddings of messages, searched together."""

    index: SearchIndex
    vectors: MessageVectors

    def pool(
        self, connection: Connection, query: SearchQuery, question: QueryEmbedding, preferred: MessageFilter | None
    ) -> CandidatePool:
        """Returns the best passages of the query. `preferred`: the best passages within this filter are added, since
        they need not be among the best of all."""
        hits = self.index.search(connection, query, limit=POOL)
        words = dict(hits)
        if preferred is not None:
            words |= dict(self.index.search(connection, replace(query, within=preferred), limit=POOL))
        lexical = Scores.of(words)
        codes = self.vectors.search(connection, query.bank_id, question)
        if codes is None:
            return CandidatePool(hits, lexical)
        filters = [query.within] if preferred is None else [query.within, preferred]
        near = [codes.nearest(connection, within, query.newest, POOL) for within in filters]
        documents = np.unique(np.concatenate([lexical.documents, *near]))
        return CandidatePool(hits, fuse(lexical, codes.scores(documents)))
