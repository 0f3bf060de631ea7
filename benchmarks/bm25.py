"""Okapi BM25 over term counts, the lexical baseline of the recall benchmarks."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping


def plain_words(text: str) -> Counter[str]:
    """Returns the number of occurrences of each lower-case word of `text`."""
    return Counter(re.findall(r"\w+", text.lower()))


class Bm25:
    """BM25 index of documents, given as id → term counts."""

    def __init__(self, documents: Mapping[str, Counter[str]], k1: float = 1.2, b: float = 0.75) -> None:
        self._k1, self._b = k1, b
        self._position = {key: position for position, key in enumerate(documents)}
        self._length = {key: counts.total() for key, counts in documents.items()}
        self._mean_length = sum(self._length.values()) / max(1, len(documents))
        self._postings: dict[str, list[tuple[str, int]]] = {}
        for key, counts in documents.items():
            for term, count in counts.items():
                self._postings.setdefault(term, []).append((key, count))

    def rank(self, query: Iterable[str]) -> list[str]:
        """Returns the ids of the documents that hold a term of `query`, best first; ties in the order of the
        documents."""
        scores: dict[str, float] = {}
        for term in dict.fromkeys(query):
            postings = self._postings.get(term, [])
            idf = math.log(1 + (len(self._length) - len(postings) + 0.5) / (len(postings) + 0.5))
            for key, count in postings:
                norm = self._k1 * (1 - self._b + self._b * self._length[key] / self._mean_length)
                scores[key] = scores.get(key, 0.0) + idf * count * (self._k1 + 1) / (count + norm)
        return sorted(scores, key=lambda key: (-scores[key], self._position[key]))


def take_within(budget: int, ranked: Iterable[str], cost: Mapping[str, int]) -> set[str]:
    """Takes ids of `ranked` from the first on, skipping those that would exceed `budget`. Returns the ids taken."""
    taken: set[str] = set()
    for key in ranked:
        if cost[key] <= budget:
            budget -= cost[key]
            taken.add(key)
    return taken
