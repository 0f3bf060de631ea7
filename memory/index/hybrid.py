"""Hybrid search: fuses lexical and semantic scores."""

from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from foxing.memory.ascending import distinct
from foxing.memory.storage.message_filter import MessageFilter

from .scores import Scores, fuse
from .search_index import SearchIndex, SearchQuery, scores_of
from .vectors import CodeSearch, MessageVectors, QueryEmbedding

POOL = 1000  # maximum number of passages from each search that are ranked together


@dataclass(frozen=True)
class CandidatePool:
    """The candidates of a query."""

    #: lexical hits, best first, at most `POOL`
    hits: Scores
    #: fused scores of the lexical and the semantic hits; ascending by document
    scores: Scores
    #: share of the query's weight that each lexical hit matches, see `Hit.share`; ascending by document
    shares: Scores
    #: semantic search; None without embeddings
    codes: CodeSearch | None = None
    #: closeness of the hits, see `CodeSearch.closeness`; ascending by document; None without embeddings
    closeness: Scores | None = None


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
        hits = scores_of(self.index, connection, query, POOL)
        lexical = hits.by_document
        if preferred is not None:
            near = scores_of(self.index, connection, replace(query, within=preferred), POOL).by_document
            lexical = lexical.followed_by(near[~near.is_in(lexical.documents)]).by_document
        shares = Scores(lexical.documents, np.zeros(0) if lexical.shares is None else lexical.shares)
        codes = self.vectors.search(connection, query.bank_id, question)
        if codes is None:
            return CandidatePool(hits, lexical, shares)
        filters = [query.within] if preferred is None else [query.within, preferred]
        nearest = [codes.nearest(connection, within, query.newest, POOL) for within in filters]
        documents = distinct(np.concatenate([lexical.documents, *nearest]))
        similarity = codes.scores(documents)
        return CandidatePool(hits, fuse(lexical, similarity), shares, codes, codes.closeness(similarity))
