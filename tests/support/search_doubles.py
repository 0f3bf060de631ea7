"""A search index and an embedder in plain Python, of another kind than those of the product."""

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from foxing.memory.index.embedder import Embeddings
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.index.search_index import Hit, IndexStatistics, SearchQuery, TermCounts, after_commit
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages
from foxing.memory.text.passages import document_key, message_of, passage_of


class DictionaryIndex:
    """TF-IDF over dictionaries; nothing of it is in the database."""

    name = "dictionaries"

    def __init__(self) -> None:
        self._banks: dict[int, dict[int, list[Counter[str]]]] = {}
        self._lock = threading.Lock()

    def add(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        self.replace(connection, bank_id, counts)

    def replace(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        kept = {i: [Counter(dict(terms)) for terms in passages] for i, passages in counts.items()}
        after_commit(connection, lambda: self._update(bank_id, kept))

    def fade(self, connection: Connection, bank_id: int, counts: TermCounts, most: int | None) -> None:
        with self._lock:
            held = dict(self._banks.get(bank_id, {}))
        containing = Counter(term for passages in held.values() for term in {t for terms in passages for t in terms})
        kept = {}
        for message_id, passages in counts.items():
            left = {term for terms in passages for term in terms}
            stays = left | {term for term, number in containing.items() if most is None or number <= most}
            before = [Counter({t: n for t, n in terms.items() if t in stays}) for terms in held.get(message_id, [])]
            known = {term for terms in before for term in terms}
            before += [Counter() for _ in passages[len(before) :]]
            for terms, also in zip(before, passages, strict=False):
                terms.update({t: n for t, n in also.items() if t not in known})
            kept[message_id] = before
        self.replace(connection, bank_id, kept)

    def remove(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
        self.replace(connection, bank_id, {message_id: () for message_id in message_ids})

    def compact(self, connection: Connection, bank_id: int) -> None:
        pass  # everything is held alike

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        held = dict(self._documents(query.bank_id))
        held = {i: terms for i, terms in held.items() if query.newest is None or message_of(i) <= query.newest}
        scores = dict(_scores(held, query.terms))
        allowed = messages.filter_ids(connection, query.bank_id, {message_of(i) for i in scores}, query.within)
        shares = _shares(held, query.terms)
        hits = sorted((Hit(i, s, shares[i]) for i, s in scores.items() if message_of(i) in allowed), key=_order)
        return [hit for hit in hits if after is None or _order(hit) > _order(after)][:limit]

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        held = [terms for _, terms in self._documents(bank_id)]
        counts = {term: sum(term in passage for passage in held) for term in terms}
        return {term: count for term, count in counts.items() if count}

    def terms_of(
        self, connection: Connection, bank_id: int, message_ids: Collection[int], terms: Collection[str]
    ) -> Mapping[int, Collection[str]]:
        found: dict[int, set[str]] = {}
        for document, counts in self._documents(bank_id):
            if message_of(document) in message_ids and not counts.keys().isdisjoint(terms):
                found.setdefault(message_of(document), set()).update(counts.keys() & set(terms))
        return found

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        held = [(message_of(document), counts) for document, counts in self._documents(bank_id) if counts]
        terms = [term for _, counts in held for term in counts]
        return IndexStatistics(len({i for i, _ in held}), len(terms), sum(len(term.encode()) for term in terms))

    def _documents(self, bank_id: int) -> list[tuple[int, Counter[str]]]:
        with self._lock:
            held = dict(self._banks.get(bank_id, {}))
        return [(document_key(i, n), terms) for i, passages in held.items() for n, terms in enumerate(passages)]

    def _update(self, bank_id: int, counts: Mapping[int, list[Counter[str]]]) -> None:
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


def indexed_terms(database: str | Path, vocabulary: Iterable[str]) -> dict[str, set[str]]:
    """Message id → those of the terms that find it in the database's own index, in any of its banks."""
    result: dict[str, set[str]] = {}
    index = PackedIndex()
    with closing(Database(database)) as database, database.read() as connection:
        for bank_id in connection.exec_driver_sql("SELECT id FROM banks").scalars().all():
            for term in set(vocabulary):
                hits = index.search(connection, SearchQuery(bank_id, {term: 1}), limit=10_000)
                for message in messages.by_ids(connection, bank_id, [hit.message_id for hit in hits]).values():
                    result.setdefault(message.key, set()).add(term)
    return result


def _scores(held: Mapping[int, Counter[str]], terms: Mapping[str, int]) -> Iterator[tuple[int, float]]:
    containing = Counter(term for counts in held.values() for term in counts)
    for message_id, counts in held.items():
        found = [term for term in terms if term in counts]
        if found:
            rarity = (terms[t] * math.log(1 + (len(held) + 1) / containing[t]) for t in sorted(found))
            yield message_id, sum(rarity) / math.sqrt(counts.total())


def _shares(held: Mapping[int, Counter[str]], terms: Mapping[str, int]) -> dict[int, float]:
    containing = Counter(term for counts in held.values() for term in counts)
    weights = {t: number * math.log(1 + (len(held) + 1) / (1 + containing[t])) for t, number in terms.items()}
    whole = sum(weights.values()) or 1
    return {i: sum(weights[t] for t in sorted(terms) if t in counts) / whole for i, counts in held.items()}


def _order(hit: Hit) -> tuple[float, int, int]:
    return -hit.score, -hit.message_id, passage_of(hit.document)
