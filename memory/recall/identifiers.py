"""Identifiers: prefers messages that have those which a question names.

Who asks for order W6876713 means that one. The result of a tool that holds it is long, so that its other words weigh
little, and short messages about other orders match the rest of the question better.
"""

from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from foxing.memory.index.feedback import IndexReader
from foxing.memory.index.hybrid import CandidatePool
from foxing.memory.index.scores import Scores
from foxing.memory.index.search_index import SearchIndex
from foxing.memory.text.passages import message_of, passage_of

#: For the score of a message that has all identifiers of the question; 1.5 finds less, 3 no more.
FACTOR = 2.0
#: Passages of a message that count as one thing, such as the result of a tool; of a longer one, each passage counts by
#: itself.
MOST_PASSAGES = 8


@dataclass(frozen=True)
class IdentifierPreference:
    """The identifiers that a question names, in a bank."""

    index: SearchIndex
    connection: Connection
    bank_id: int
    identifiers: frozenset[str]
    #: reader of the passages; None for an index without one, where messages count as a whole
    reader: IndexReader | None

    def adjusted(self, pool: CandidatePool) -> CandidatePool:
        """Returns a pool in which the scores of messages that have the identifiers are raised, by their share of
        these."""
        if not self.identifiers or not len(pool.scores):
            return pool
        documents, values = pool.scores.documents, pool.scores.values
        ids = message_of(documents)
        held = self.index.terms_of(self.connection, self.bank_id, set(ids.tolist()), self.identifiers)
        counts = np.array([len(held.get(i, ())) for i in ids.tolist()])
        long = np.isin(ids, ids[passage_of(documents) >= MOST_PASSAGES])
        if self.reader is not None and long.any():
            reader, there = self.reader, documents[long]
            counts[long] = sum(reader.contain(there, {term}).astype(np.int64) for term in self.identifiers)
        return replace(pool, scores=Scores(documents, values * (1 + (FACTOR - 1) * counts / len(self.identifiers))))
