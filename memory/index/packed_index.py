"""The built-in search index: postings packed into segments in the database and searched in memory.

A new message adds one row. When there are `RECENT` rows, or enough relative to the last segment when a page is sealed,
they are packed into that segment, or into a new one if it is full. An LRU cache holds unpacked segments.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache
from sqlalchemy import Connection

from foxing.memory.ascending import distinct, is_in
from foxing.memory.storage import snapshot
from foxing.memory.storage.repositories import messages, postings
from foxing.memory.storage.repositories.postings import Recent, Segment
from foxing.memory.storage.secrets import digest_key, index_key
from foxing.memory.text.passages import message_of

from .bm25 import Corpus
from .feedback import CorpusReader
from .postings import Array, Postings, entries, records, term_hash
from .scores import NO_SCORES, Keys, Scores
from .search_index import Hit, IndexStatistics, SearchQuery, TermCounts, hits_of

RECENT = 256  # number of rows that triggers packing
#: Sealing a page packs the recent rows if the last segment has fewer than this many documents per row. A row takes six
#: times the space of its packed postings.
WORTH_PACKING = 32
#: Maximum documents and postings of a segment. The last message may exceed them: a message is never split between
#: segments. Larger segments compress better, but a segment is rewritten when a page with one of its documents changes.
SEGMENT = 8_192
SEGMENT_POSTINGS = 160_000
RECENT_BANKS = 256  # banks whose unpacked postings are cached
CACHE_BYTES = 256 << 20  # of unpacked segments; a million messages of 200 characters take about 150 MB

_EXAMINED = 2_000  # hits checked against a filter per batch
_TRIALS = 4  # batches that are checked before the ids of all messages within the filter are fetched


class IndexContents(NamedTuple):
    """The messages in the index of a bank, for integrity checks."""

    #: Ids of all messages.
    messages: frozenset[int]
    #: Ids of messages that are stored in more than one place.
    twice: frozenset[int]
    #: Segments that cannot be unpacked.
    damaged: list[Segment]


class PackedIndex:
    """BM25 search over the passages of messages. Safe to share between threads."""

    name = "packed"

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._cache: LRUCache[int, Postings] = LRUCache(cache_bytes, getsizeof=lambda stored: max(1, stored.nbytes))
        self._lock = Lock()
        #: secret key of the database and bank id → postings of the unpacked messages
        self._recent: LRUCache[tuple[bytes, int], tuple[Recent, Postings]] = LRUCache(RECENT_BANKS)

    def add(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        """See `SearchIndex.add`."""
        new = self._entries(connection, bank_id, counts)
        if len(new) >= RECENT:
            postings.lock(connection, bank_id)
            self._pack(connection, bank_id, records(new.items()))
            return
        if new and postings.add_recent(connection, bank_id, new) >= RECENT:
            postings.lock(connection, bank_id)
            self._pack(connection, bank_id)

    def replace(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        """See `SearchIndex.replace`."""
        if counts:
            postings.lock(connection, bank_id)
            new = records(self._entries(connection, bank_id, counts).items())
            self._replace(connection, bank_id, set(counts), new)

    def fade(self, connection: Connection, bank_id: int, counts: TermCounts, most: int | None) -> None:
        """See `SearchIndex.fade`."""
        if not counts:
            return
        postings.lock(connection, bank_id)
        indexed = self._records_of(connection, bank_id, counts)
        entries = records(self._entries(connection, bank_id, counts).items())
        stays = _has_pair(indexed, entries)
        if most is None:
            stays[:] = True
        elif not stays.all():
            faded = np.unique(indexed["term"][~stays])
            rare = Corpus(self._postings(connection, bank_id)).rare(faded.tolist(), most)
            stays |= np.isin(indexed["term"], faded[np.array(rare, dtype=bool)])
        added = entries[~_has_pair(entries, indexed)]
        self._replace(connection, bank_id, set(counts), np.concatenate([indexed[stays], added]))

    def _replace(self, connection: Connection, bank_id: int, message_ids: set[int], new: Array) -> None:
        """Replaces the postings of messages by `new`, `RECORD`[p]. The bank must be locked."""
        postings.delete_recent(connection, bank_id, message_ids)
        remainder = message_ids
        for segment, stored in self._holding(connection, bank_id, message_ids):
            is_of_message = _is_of(stored.documents, message_ids)
            if not is_of_message.any():
                continue
            inside = {*np.unique(message_of(stored.documents[is_of_message])).tolist()}
            self._rewrite(connection, segment, stored, is_of_message, new[_is_of(new["document"], inside & remainder)])
            remainder = remainder - inside
        fresh = new[_is_of(new["document"], remainder)]
        if len(fresh):
            self._pack(connection, bank_id, fresh)

    def remove(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
        """See `SearchIndex.remove`."""
        self.replace(connection, bank_id, {message_id: () for message_id in message_ids})

    def compact(self, connection: Connection, bank_id: int) -> None:
        """See `SearchIndex.compact`."""
        last = postings.segments(connection, bank_id)[-1:]
        partial_documents = sum(
            len(stored.documents) for _, stored in self._segments(connection, last) if not _is_full(stored)
        )
        if WORTH_PACKING * postings.count_recent(connection, bank_id) > partial_documents:
            postings.lock(connection, bank_id)
            self._pack(connection, bank_id)

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        """See `SearchIndex.search`."""
        return hits_of(self._scores(connection, query, after, limit))

    def scores(self, connection: Connection, query: SearchQuery, *, limit: int) -> Scores:
        """See `ScoringIndex.scores`."""
        return self._scores(connection, query, None, limit)

    def _scores(self, connection: Connection, query: SearchQuery, after: Hit | None, limit: int) -> Scores:
        """Returns the first `limit` hits after `after`, best first."""
        if not query.terms:
            return NO_SCORES
        key = index_key(connection, query.bank_id)
        counts: dict[int, int] = {}
        for term, count in query.terms.items():
            hashed = term_hash(term, key)
            counts[hashed] = counts.get(hashed, 0) + count
        scores = Corpus(self._postings(connection, query.bank_id), query.newest).search(counts)
        if after is not None:
            scores = scores.after(after.document, after.score)
        if query.within.conditions():
            return _filtered(connection, query, scores.ordered(), limit)
        if len(scores) > limit:  # sort only the scores that can be among the first
            lowest = np.partition(scores.values, len(scores) - limit)[len(scores) - limit]
            scores = scores[scores.values >= lowest]
        return scores.ordered()[:limit]

    def reader(self, connection: Connection, bank_id: int, newest: int | None) -> CorpusReader:
        """See `FeedbackIndex.reader`."""
        corpus = Corpus(self._postings(connection, bank_id), newest)
        return CorpusReader(corpus, partial(term_hash, key=index_key(connection, bank_id)))

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        """See `SearchIndex.document_frequencies`."""
        key = index_key(connection, bank_id)
        terms_in_order = sorted(terms)
        corpus = Corpus(self._postings(connection, bank_id))
        counted = zip(
            terms_in_order, corpus.frequencies([term_hash(term, key) for term in terms_in_order]), strict=True
        )
        return {term: count for term, count in counted if count}

    def terms_of(
        self, connection: Connection, bank_id: int, message_ids: Collection[int], terms: Collection[str]
    ) -> Mapping[int, Collection[str]]:
        """See `SearchIndex.terms_of`."""
        key = index_key(connection, bank_id)
        corpus = Corpus(self._postings(connection, bank_id)) if message_ids and terms else Corpus([])
        terms_in_order = sorted(terms)
        containing = corpus.containing([term_hash(term, key) for term in terms_in_order], sorted(message_ids))
        by_message: dict[int, set[str]] = {}
        for term, ids in zip(terms_in_order, containing, strict=True):
            for message_id in ids:
                by_message.setdefault(message_id, set()).add(term)
        return by_message

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        """See `SearchIndex.statistics`."""
        stored = self._postings(connection, bank_id)
        numbers = [len(np.unique(message_of(part.documents))) for part in stored]
        total = self.total_bytes(connection, [bank_id])[bank_id]
        return IndexStatistics(sum(numbers), sum(len(part.places) for part in stored), total)

    def total_bytes(self, connection: Connection, bank_ids: Sequence[int]) -> Mapping[int, int]:
        """See `SizedIndex.total_bytes`."""
        return postings.total_bytes(connection, bank_ids)

    def contents(self, connection: Connection, bank_id: int) -> "IndexContents":
        """Returns the messages in the index of a bank and its damaged segments."""
        places: Counter[int] = Counter(message_id for message_id, _ in postings.recent(connection, bank_id))
        damaged = []
        for segment in postings.segments(connection, bank_id):
            try:
                [(_, stored)] = self._segments(connection, [segment])
            except ValueError:
                damaged.append(segment)
            else:
                places.update(np.unique(message_of(stored.documents)).tolist())
        twice = {message_id for message_id, number in places.items() if number > 1}
        return IndexContents(frozenset(places), frozenset(twice), damaged)

    def differing(
        self, connection: Connection, bank_id: int, counts: TermCounts, faded: Collection[int] = ()
    ) -> set[int]:
        """Returns the ids of the messages in `counts` whose indexed terms differ from it. Those of `faded` may have
        more terms in the index, in any passage. Raises `PostingsDamaged` if a segment that may hold them is damaged."""
        if not counts:
            return set()
        stored = self._records_of(connection, bank_id, counts)
        read = records(self._entries(connection, bank_id, counts).items())
        missing = set(message_of(read["document"][~_has_pair(read, stored)]).tolist())
        indexed = _by_message(stored)
        expected = _by_message(read)
        return {
            message_id
            for message_id in counts
            if (message_id in missing if message_id in faded else indexed.get(message_id) != expected.get(message_id))
        }

    def _records_of(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> Array:
        """Returns the postings of messages, `RECORD`[p] in any order."""
        parts = [records(row for row in postings.recent(connection, bank_id) if row[0] in message_ids)]
        for _, stored in self._holding(connection, bank_id, message_ids):
            of_messages = _is_of(stored.documents, message_ids)
            if of_messages.any():
                parts.append(stored.records[of_messages[stored.places]])
        return np.concatenate(parts)

    def _entries(self, connection: Connection, bank_id: int, counts: TermCounts) -> dict[int, bytes]:
        """Returns message id → packed `ENTRY`s, without messages that have no terms."""
        key = index_key(connection, bank_id)
        return {i: entries(passages, key).tobytes() for i, passages in counts.items() if any(passages)}

    def _postings(self, connection: Connection, bank_id: int) -> list[Postings]:
        """Returns all postings of a bank, read once in a read-only transaction."""
        read = snapshot.of(connection)
        cached: list[Postings] | None = None if read is None else read.postings.get(bank_id)
        if cached is not None:
            return cached
        segments, recent = postings.state(connection, bank_id)
        parts = [part for _, part in self._segments(connection, segments)]
        if recent.number:
            parts.append(self._recent_postings(connection, bank_id, recent))
        if read is not None:
            read.postings[bank_id] = parts
        return parts

    def _recent_postings(self, connection: Connection, bank_id: int, recent: Recent) -> Postings:
        """Returns the postings of the unpacked messages of a bank."""
        recent_key = digest_key(connection), bank_id
        with self._lock:
            cached = self._recent.get(recent_key)
        if cached is not None and cached[0] == recent and snapshot.of(connection) is not None:
            return cached[1]
        result = Postings.of(records(postings.recent(connection, bank_id)))
        if snapshot.of(connection) is not None:  # else they may be rolled back
            with self._lock:
                self._recent[recent_key] = recent, result
        return result

    def _segments(self, connection: Connection, segments: Sequence[Segment]) -> list[tuple[Segment, Postings]]:
        with self._lock:
            stored = {segment.stamp: self._cache.get(segment.stamp) for segment in segments}
        missing = [segment for segment in segments if stored[segment.stamp] is None]
        packed = postings.packed(connection, [segment.id for segment in missing])
        for segment in missing:
            stored[segment.stamp] = self._remember(segment.stamp, Postings.unpack(packed[segment.id]))
        return [(segment, content) for segment in segments if (content := stored[segment.stamp]) is not None]

    def _remember(self, stamp: int, stored: Postings) -> Postings:
        with self._lock:
            if stored.nbytes <= self._cache.maxsize:
                self._cache[stamp] = stored
        return stored

    def _holding(
        self, connection: Connection, bank_id: int, message_ids: Collection[int]
    ) -> list[tuple[Segment, Postings]]:
        """Returns the segments that may hold any of the messages."""
        lowest = min(message_ids)
        highest = max(message_ids)
        segments = postings.segments(connection, bank_id)
        candidates = [s for s in segments if s.first_message <= highest and s.last_message >= lowest]
        return self._segments(connection, candidates)

    def _rewrite(
        self, connection: Connection, segment: Segment, stored: Postings, gone: npt.NDArray[np.bool_], fresh: Array
    ) -> None:
        """Replaces the postings of the documents `gone`, bool[n], in a segment by the records `fresh`. Writes nothing
        if they are equal."""
        old = stored.records
        replaced = gone[stored.places]
        if np.array_equal(np.sort(old[replaced]), np.sort(fresh)):
            return
        new = Postings.of(np.concatenate([old[~replaced], fresh]))
        if not len(new.documents):
            postings.delete_segment(connection, segment.id)
            return
        stamp = postings.update_segment(connection, segment.id, _span(new), new.pack())
        self._remember(stamp, new)

    def _pack(self, connection: Connection, bank_id: int, fresh: Array | None = None) -> None:
        """Packs the recent postings of a bank and the records `fresh` into its last segment and new ones."""
        recent = postings.recent(connection, bank_id)
        postings.delete_recent(connection, bank_id, [message_id for message_id, _ in recent])
        new = records(recent)
        if fresh is not None:
            new = np.concatenate([new, fresh])
        last = self._segments(connection, postings.segments(connection, bank_id)[-1:])
        opened: int | None = None
        parts: Iterable[Postings] = _in_segments(new)
        if last and len(new) and not _is_full(last[0][1]):
            opened = last[0][0].id
            parts = _added(last[0][1], new)
        for part in parts:
            if opened is None:
                stamp = postings.insert_segment(connection, bank_id, _span(part), part.pack())
            else:
                stamp = postings.update_segment(connection, opened, _span(part), part.pack())
            opened = None
            self._remember(stamp, part)


def _is_full(stored: Postings) -> bool:
    return len(stored.documents) >= SEGMENT or len(stored.places) >= SEGMENT_POSTINGS


def _added(stored: Postings, new: Array) -> Iterable[Postings]:
    """Returns the postings of a segment merged with new records, split into segments. The usual case, few records whose
    documents follow those of the segment, is appended without sorting, the slowest step."""
    fresh = Postings.of(new)
    if len(fresh.documents) <= RECENT and stored.documents[-1] < fresh.documents[0]:
        return [stored.followed_by(fresh)]
    return _in_segments(np.concatenate([stored.records, new]))


def _in_segments(entries: Array) -> Iterator[Postings]:
    """Yields the postings of records, split into segments between messages."""
    entries = entries[np.argsort(entries["document"], kind="stable")]
    starts = np.flatnonzero(np.diff(entries["document"], prepend=-1))
    first_documents = np.flatnonzero(np.diff(message_of(entries["document"][starts]), prepend=-1))
    #: number of documents, and of postings, before each message and at the end
    documents = np.append(first_documents, len(starts))
    before = np.append(starts[first_documents], len(entries))
    first = 0
    last = len(first_documents)
    while first < last:
        full = min(
            int(np.searchsorted(documents, documents[first] + SEGMENT)),
            int(np.searchsorted(before, before[first] + SEGMENT_POSTINGS)),
        )
        stop = min(full, last)
        yield Postings.of(entries[before[first] : before[stop]])
        first = stop


def _by_message(entries: Array) -> dict[int, bytes]:
    """Returns message id → its sorted records, as bytes."""
    ordered = np.sort(entries, order=["document", "term", "count"])
    ids = message_of(ordered["document"])
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    return {int(ids[a]): ordered[a:b].tobytes() for a, b in pairwise([*starts.tolist(), len(ids)])}


def _has_pair(entries: Array, among: Array) -> npt.NDArray[np.bool_]:
    """Returns bool[p]: True for records of `entries` whose message has the same term in a record of `among`."""
    both = np.concatenate([entries, among])
    _, numbers = np.unique(message_of(both["document"]), return_inverse=True)
    pairs = (numbers.astype(np.uint64) << np.uint64(32)) | both["term"]  # a term has 32 bits
    return np.isin(pairs[: len(entries)], pairs[len(entries) :])


def _span(stored: Postings) -> tuple[int, int]:
    return int(message_of(stored.documents[0])), int(message_of(stored.documents[-1]))


def _is_of(documents: Keys, message_ids: Collection[int]) -> npt.NDArray[np.bool_]:
    """Returns bool[n]: True for documents that are passages of the messages."""
    return np.isin(message_of(documents), np.array(sorted(message_ids), dtype=np.int64))


def _filtered(connection: Connection, query: SearchQuery, scores: Scores, limit: int) -> Scores:
    """Returns the first `limit` hits within the query's filter. `scores`: sorted. For a selective filter, which would
    require checking nearly all hits, the ids of all messages within the filter are fetched instead."""
    ids = message_of(scores.documents)
    hits = scores[:0]
    for trial in range(_TRIALS + 1):
        start = trial * _EXAMINED
        stop = len(ids) if trial == _TRIALS else start + _EXAMINED
        if trial == _TRIALS:
            allowed = messages.ids_within(connection, query.bank_id, query.within)
        else:
            distinct_ids = distinct(ids[start:stop]).tolist()
            allowed = messages.filter_ids(connection, query.bank_id, distinct_ids, query.within)
        passed = is_in(ids[start:stop], np.array(sorted(allowed), dtype=np.int64))
        hits = hits.followed_by(scores[start + np.flatnonzero(passed)][: limit - len(hits)])
        if len(hits) == limit or stop >= len(ids):
            break
    return hits
