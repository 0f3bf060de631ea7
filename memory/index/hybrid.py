"""Hybrid search: fuses lexical and semantic scores."""

from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from foxing.memory.ascending import distinct, is_in
from foxing.memory.storage.message_filter import MessageFilter

from .feedback import MORE, FeedbackIndex, IndexReader, with_related
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
    #: scores of the lexical hits; ascending by document
    lexical: Scores
    #: share of the query's weight that each lexical hit matches, see `Hit.share`; ascending by document
    shares: Scores
    #: semantic search; None without embeddings
    codes: CodeSearch | None = None
    #: closeness of the hits, see `CodeSearch.closeness`; ascending by document; None without embeddings
    closeness: Scores | None = None
    #: similarity of the hits to the question, ascending by document; None without embeddings
    similarity: Scores | None = None


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
            preferred_scores = scores_of(self.index, connection, replace(query, within=preferred), POOL).by_document
            lexical = lexical.followed_by(preferred_scores[~preferred_scores.is_in(lexical.documents)]).by_document
        shares = Scores(lexical.documents, np.zeros(0) if lexical.shares is None else lexical.shares)
        codes = self.vectors.search(connection, query.bank_id, question)
        if codes is None:
            return CandidatePool(hits, lexical, lexical, shares)
        filters = [query.within] if preferred is None else [query.within, preferred]
        nearest = [codes.nearest(connection, message_filter, query.newest, POOL) for message_filter in filters]
        documents = distinct(np.concatenate([lexical.documents, *nearest]))
        similarity = codes.scores(documents)
        fused = fuse(lexical, similarity)
        return CandidatePool(hits, fused, lexical, shares, codes, codes.closeness(similarity), similarity)

    def reader(self, connection: Connection, bank_id: int, newest: int | None) -> IndexReader | None:
        """Opens a reader of the index; None if it has none."""
        return self.index.reader(connection, bank_id, newest) if isinstance(self.index, FeedbackIndex) else None

    def look_again(self, reader: IndexReader, query: SearchQuery, pool: CandidatePool, seeds: Scores) -> CandidatePool:
        """Returns the pool of the query with scores for characteristic terms of `seeds`, its best passages, and with
        passages that these terms find. With a filter, nothing is added."""
        if not len(seeds):
            return pool
        related = reader.related(query.terms, seeds)
        documents = pool.lexical.documents
        if pool.similarity is not None:
            documents = distinct(np.concatenate([documents, pool.similarity.documents]))
        lexical = with_related(pool.lexical, documents, related, MORE if query.within.admits_all else 0)
        if pool.codes is None or pool.similarity is None:
            return replace(pool, scores=lexical, lexical=lexical)
        added = pool.codes.scores(lexical.documents[~is_in(lexical.documents, documents)])
        similarity = pool.similarity.followed_by(added).by_document
        return replace(pool, scores=fuse(lexical, similarity), lexical=lexical)
