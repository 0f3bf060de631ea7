"""A search index and an embedder in plain Python, of another kind than those of the product."""

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from foxing.memory.recall.embedding import Embeddings
from foxing.memory.recall.search_index import IndexStatistics, SearchQuery, TermCounts, after_commit
from foxing.memory.storage.repositories import messages
from foxing.memory.storage.repositories.index import Hit


class DictionaryIndex:
    """TF-IDF over dictionaries; nothing of it is in the database."""

    name = "dictionaries"

    def __init__(self) -> None:
        self._banks: dict[int, dict[int, Counter[str]]] = {}
        self._lock = threading.Lock()

    def add(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        self.replace(connection, bank_id, counts)

    def replace(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        kept = {message_id: Counter(dict(terms)) for message_id, terms in counts.items()}
        after_commit(connection, lambda: self._update(bank_id, kept))

    def remove(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
        self.replace(connection, bank_id, {message_id: {} for message_id in message_ids})

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        with self._lock:
            held = dict(self._banks.get(query.bank_id, {}))
        held = {i: terms for i, terms in held.items() if query.newest is None or i <= query.newest}
        scores = dict(_scores(held, query.terms))
        allowed = messages.admitted(connection, list(scores), query.within)
        hits = sorted((Hit(i, s) for i, s in scores.items() if i in allowed), key=_order)
        return [hit for hit in hits if after is None or _order(hit) > _order(after)][:limit]

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        with self._lock:
            held = list(self._banks.get(bank_id, {}).values())
        counts = {term: sum(term in message for message in held) for term in terms}
        return {term: count for term, count in counts.items() if count}

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        with self._lock:
            held = list(self._banks.get(bank_id, {}).values())
        terms = [term for counts in held for term in counts]
        return IndexStatistics(sum(map(bool, held)), len(terms), sum(len(term.encode()) for term in terms))

    def _update(self, bank_id: int, counts: Mapping[int, Counter[str]]) -> None:
        with self._lock:
            self._banks.setdefault(bank_id, {}).update(counts)


class HashingEmbedder:
    """Bags of letter trigrams, hashed: alike where words are."""

    name = "hashing-1"
    dimensions = 256

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            padded = f"  {text.lower()}  "
            for start in range(len(padded) - 2):
                digest = hashlib.sha256(padded[start : start + 3].encode("utf-8", "replace")).digest()
                vector[digest[0]] += 1
            vector /= np.linalg.norm(vector) or 1
        return vectors

    embed_queries = embed_documents


def _scores(held: Mapping[int, Counter[str]], terms: Mapping[str, int]) -> Iterator[tuple[int, float]]:
    containing = Counter(term for counts in held.values() for term in counts)
    for message_id, counts in held.items():
        found = [term for term in terms if term in counts]
        if found:
            rarity = (terms[t] * math.log(1 + (len(held) + 1) / containing[t]) for t in sorted(found))
            yield message_id, sum(rarity) / math.sqrt(counts.total())


def _order(hit: Hit) -> tuple[float, int]:
    return -hit.score, -hit.message_id
