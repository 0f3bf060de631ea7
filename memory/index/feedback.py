"""A second look: finds passages by the characteristic terms of the best ones, which the question lacks.

The answers to “which instruments does she play?” name a clarinet and a violin, not instruments. Messages near the best
ones in the bank often do share a name or a rare word with them (pseudo-relevance feedback).
"""

from collections.abc import Callable, Collection, Set
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from foxing.memory.ascending import places_in

from .bm25 import Corpus, inverse_frequency
from .scores import Keys, Scores

SEEDS = 20  # best passages whose terms are searched for; 10 and 30 find less
TERMS = 24  # terms that are searched for, those that are rarest and in the best passages
WEIGHT = 0.3  # of the first of these terms, relative to a word of the question
#: Such a term is in at least this number of passages, or it would find nothing else; and in at most this share of them,
#: and this number, so that the second look is fast in a large bank.
LEAST_FOUND = 2
MOST_SHARE = 0.1
MOST_FOUND = 1000
MORE = 200  # maximum number of passages that only the second look finds
#: What the second look adds to a passage at most, as a share of the best score for the words of the question: a long
#: result of a tool has so many of its terms that it would come before what was asked for.
MOST_ADDED = 0.5


class IndexReader(Protocol):
    """Reader of the passages of a bank, valid in the transaction that it was opened in."""

    def known(self, terms: Collection[str]) -> Set[str]:
        """Returns those of `terms` that any passage contains."""

    def contain(self, documents: Keys, terms: Collection[str]) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for passages that contain any of `terms`. `documents`: int64[n]."""

    def related(self, terms: Collection[str], seeds: Scores) -> Scores:
        """Returns the scores of all passages that contain characteristic terms of `seeds`, in any order. `terms`: those
        of the question, which do not count. `seeds`: the best passages, with positive scores."""


@runtime_checkable
class FeedbackIndex(Protocol):
    """A search index with a reader. Optional: with other indexes, there is no second look."""

    def reader(self, connection: Connection, bank_id: int, newest: int | None) -> IndexReader:
        """Opens a reader of the passages of a bank. `newest`: see `SearchQuery.newest`."""


@dataclass(frozen=True)
class CorpusReader:
    """The reader of `PackedIndex`."""

    corpus: Corpus
    #: returns the hash of a term
    hashed: Callable[[str], int]

    def known(self, terms: Collection[str]) -> Set[str]:
        """See `IndexReader.known`."""
        terms_in_order = sorted(terms)
        frequencies = self.corpus.frequencies([self.hashed(term) for term in terms_in_order])
        return {term for term, frequency in zip(terms_in_order, frequencies, strict=True) if frequency}

    def contain(self, documents: Keys, terms: Collection[str]) -> npt.NDArray[np.bool_]:
        """See `IndexReader.contain`."""
        return self.corpus.contain(documents, [self.hashed(term) for term in sorted(terms)])

    def related(self, terms: Collection[str], seeds: Scores) -> Scores:
        """See `IndexReader.related`."""
        return self.corpus.search(feedback_weights(self.corpus, seeds, {self.hashed(term) for term in terms}))


def feedback_weights(corpus: Corpus, seeds: Scores, query_terms: Collection[int]) -> dict[int, float]:
    """Returns term hash → weight of the `TERMS` most characteristic terms of `seeds`. `query_terms`: hashes of
    the terms of the question."""
    order = np.argsort(seeds.documents)
    documents = seeds.documents[order]
    values = seeds.values[order]
    terms, holding = corpus.occurrences(documents)
    distinct, numbers = np.unique(terms, return_inverse=True)
    seed = np.searchsorted(documents, holding)
    # a passage that is longer than most, such as the result of a tool, counts no more than these
    lengths = np.maximum(corpus.mean_length, np.bincount(seed, minlength=len(documents)))
    weights = np.bincount(numbers, weights=(values / lengths)[seed], minlength=len(distinct))
    hashes = distinct.tolist()
    frequencies = corpus.frequencies(hashes)
    limit = min(MOST_FOUND, MOST_SHARE * corpus.documents)
    excluded = set(query_terms)
    rarities = {n: inverse_frequency(corpus.documents, n) for n in set(frequencies) if LEAST_FOUND <= n <= limit}
    strengths = [
        (-weight * rarities[frequency], term)
        for term, weight, frequency in zip(hashes, weights.tolist(), frequencies, strict=True)
        if frequency in rarities and term not in excluded
    ]
    best = sorted(strengths)[:TERMS]
    return {term: WEIGHT * strength / best[0][0] for strength, term in best}


def with_related(lexical: Scores, documents: Keys, related: Scores, count: int) -> Scores:
    """Returns lexical scores plus those of related passages, which approach `MOST_ADDED`, for `documents` and the
    `count` best others, ascending by document. `documents`: ascending, those of `lexical` among them."""
    cap = MOST_ADDED * lexical.values.max(initial=0.0)
    if cap > 0:
        related = Scores(related.documents, cap * related.values / (cap + related.values))
    related = related.by_document
    at, is_present = places_in(related.documents, documents)
    others = np.ones(len(related), dtype=np.bool_)
    others[at[is_present]] = False
    remainder = np.flatnonzero(others)
    if len(remainder) > count:
        remainder = remainder[np.argpartition(-related.values[remainder], count)[:count]]
    chosen = related[np.concatenate([at[is_present], remainder])]
    return Scores.summed(
        np.concatenate([lexical.documents, chosen.documents]), np.concatenate([lexical.values, chosen.values])
    )
