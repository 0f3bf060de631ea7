"""Postings: the documents and counts of each term, as sorted arrays and in a packed binary format.

A document is a passage of a message. A term is a keyed 32-bit hash of a word, so that the index is not a copy of the
text. With 100,000 distinct words, a word collides with another with probability 1/40,000; a search then finds both.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.memory.errors import StorageError
from foxing.memory.text.passages import document_key

TERM_MASK = (1 << 32) - 1
MOST = (1 << 16) - 1  # cap on the count of a term in a document

_LEVEL = 9
_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(
    _LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_checksum=False
)


class PostingsDamaged(StorageError, ValueError):
    """Packed postings are damaged."""

    def __init__(self) -> None:
        super().__init__("the search index is damaged; run foxing db check --repair")


#: A term of a document and its number of occurrences.
RECORD = np.dtype([("document", "<i8"), ("term", "<u8"), ("count", "<u2")])

#: The same for a passage of a known message: the row format of messages that are not packed yet.
ENTRY = np.dtype([("passage", "<u2"), ("count", "<u2"), ("term", "<u8")])

Array = npt.NDArray[Any]

_HEADER = struct.Struct("<BIIIq")  # format, documents, terms, postings, the first document
_SIZE = struct.Struct("<I")
_FORMAT = 3
_GROUPED = 1 << 14  # minimum number of postings to group; with fewer, the group tables cost more than they save


@dataclass(frozen=True)
class Postings:
    """The postings of some documents, by term."""

    #: int64[n], document keys, ascending
    documents: Array
    #: uint64[t], term hashes, ascending
    terms: Array
    #: int64[t + 1], start of the postings of each term
    starts: Array
    #: uint32[p], indexes into `documents`, ascending within each term
    places: Array
    #: uint16[p], number of occurrences
    counts: Array

    @classmethod
    def of(cls, records: Array) -> "Postings":
        """Returns the postings of `records`, `RECORD`[p] in any order, with unique (document, term) pairs."""
        documents, places = np.unique(records["document"], return_inverse=True)
        order = np.lexsort((places, records["term"]))
        terms, starts = np.unique(records["term"][order], return_index=True)
        return cls(
            documents,
            terms,
            np.append(starts, len(records)),
            places[order].astype(np.uint32),
            records["count"][order],
        )

    def followed_by(self, later: "Postings") -> "Postings":
        """Returns the concatenation with `later`, whose documents all follow these."""
        terms = np.concatenate([np.repeat(part.terms, np.diff(part.starts)) for part in (self, later)])
        order = np.argsort(terms, kind="stable")  # fast, since both halves are sorted
        unique, starts = np.unique(terms[order], return_index=True)
        places = np.concatenate([self.places, later.places + np.uint32(len(self.documents))])
        counts = np.concatenate([self.counts, later.counts])
        documents = np.concatenate([self.documents, later.documents])
        return Postings(documents, unique, np.append(starts, len(terms)), places[order], counts[order])

    @property
    def records(self) -> Array:
        """`RECORD`[p], sorted by term."""
        result = np.empty(len(self.places), dtype=RECORD)
        result["document"] = self.documents[self.places]
        result["term"] = np.repeat(self.terms, np.diff(self.starts))
        result["count"] = self.counts
        return result

    @cached_property
    def lengths(self) -> npt.NDArray[np.float64]:
        """Length of each document in terms, repetitions included: float64[n]."""
        counted = np.bincount(self.places, weights=self.counts, minlength=len(self.documents))
        return np.asarray(counted, dtype=np.float64)

    @cached_property
    def by_document(self) -> tuple[Array, Array]:
        """The terms of each document: uint32[p] indexes into `terms`, by document, and int64[n + 1] the start of each
        document in it."""
        places = self.places.astype(np.uint16) if len(self.documents) <= MOST else self.places  # sorted much faster
        order = np.argsort(places, kind="stable")
        terms = np.repeat(np.arange(len(self.terms), dtype=np.uint32), np.diff(self.starts))[order]
        starts = np.zeros(len(self.documents) + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.places, minlength=len(self.documents)), out=starts[1:])
        return terms, starts

    @cached_property
    def total(self) -> float:
        """Total length of the documents in terms, repetitions included."""
        return float(self.lengths.sum())

    @property
    def nbytes(self) -> int:
        """Bytes in memory, `lengths` and `by_document` included."""
        arrays = (self.documents, self.terms, self.starts, self.places, self.counts)
        return sum(array.nbytes for array in arrays) + 16 * len(self.documents) + 4 * len(self.places)

    def pack(self) -> bytes:
        """Returns the postings in the packed format; `unpack` reverses it."""
        n = len(self.documents)
        t = len(self.terms)
        p = len(self.places)
        if not n:
            return _HEADER.pack(_FORMAT, 0, 0, 0, 0)
        frequencies = np.diff(self.starts)
        gaps = np.diff(self.places.astype(np.int64), prepend=0)
        gaps[self.starts[:-1]] = self.places[self.starts[:-1]]  # deltas restart at each term
        return b"".join(
            [
                _HEADER.pack(_FORMAT, n, t, p, int(self.documents[0])),
                _pack(np.diff(self.documents, prepend=self.documents[0]), 8),
                _pack(np.diff(self.terms, prepend=np.uint64(0)), 4),
                _pack(frequencies, 4),
                _pack(self.counts, 2),
                *(_pack(gaps[group], 4) for group in _groups(frequencies)),
            ]
        )

    @classmethod
    def unpack(cls, packed: bytes) -> "Postings":
        """Returns the postings that `pack` packed. Raises `PostingsDamaged`."""
        try:
            return cls._unpack(packed)
        except (struct.error, zstandard.ZstdError, IndexError, ValueError) as error:
            raise PostingsDamaged from error

    @classmethod
    def _unpack(cls, packed: bytes) -> "Postings":
        version, n, t, p, first = _HEADER.unpack_from(packed)
        if version != _FORMAT:
            raise ValueError
        if not n:
            return NO_POSTINGS
        numbers = _Reader(packed, _HEADER.size)
        documents = np.cumsum(numbers.read(n, 8)) + first
        terms = np.cumsum(numbers.read(t, 4)).astype(np.uint64)
        frequencies = numbers.read(t, 4)
        counts = numbers.read(p, 2)
        gaps = np.empty(p, dtype=np.int64)
        for group in _groups(frequencies):
            gaps[group] = numbers.read(len(group), 4)
        starts = np.append(0, np.cumsum(frequencies))
        places = np.cumsum(gaps)
        before = np.repeat((places - gaps)[starts[:-1]], frequencies)
        return cls(documents, terms, starts, (places - before).astype(np.uint32), counts.astype(np.uint16))


def _groups(frequencies: Array) -> list[Array]:
    """Returns the indexes of the postings, grouped by the magnitude of their term's frequency: their deltas are similar
    and compress better together."""
    if frequencies.sum() < _GROUPED:
        return [np.arange(frequencies.sum())]
    group = np.repeat(np.frexp(frequencies)[1], frequencies)
    return [np.flatnonzero(group == one) for one in np.unique(group)]


NO_POSTINGS = Postings.of(np.zeros(0, dtype=RECORD))


def entries(passages: Sequence[Mapping[str, int]], key: bytes) -> Array:
    """Returns the `ENTRY`[p] of a message. `passages`: term → count, for each passage; `key`: see `term_hash`."""
    hashes = {term: term_hash(term, key) for term in set().union(*passages)}  # passages share most of their words
    result = [
        (number, min(count, MOST), hashes[term])
        for number, terms in enumerate(passages)
        for term, count in terms.items()
    ]
    return _merged(np.array(result, dtype=ENTRY))


def _merged(entries: Array) -> Array:
    """Returns `ENTRY`s sorted by passage and term, with the counts of equal pairs added up."""
    order = np.lexsort((entries["term"], entries["passage"]))
    entries = entries[order]
    new = np.ones(len(entries), dtype=bool)
    new[1:] = (np.diff(entries["passage"].astype(np.int64)) != 0) | (entries["term"][1:] != entries["term"][:-1])
    result = entries[new]
    if len(result) < len(entries):  # two words have the same hash
        sums = np.add.reduceat(entries["count"].astype(np.int64), np.flatnonzero(new))
        result["count"] = np.minimum(sums, MOST)
    return np.asarray(result)


def records(messages: Iterable[tuple[int, bytes]]) -> Array:
    """Returns the `RECORD`[p] of messages, given as pairs of message id and `ENTRY`s as bytes."""
    ids = []
    packed = []
    for message_id, data in messages:
        ids.append(message_id)
        packed.append(data)
    entries = np.frombuffer(b"".join(packed), dtype=ENTRY)
    result = np.empty(len(entries), dtype=RECORD)
    numbers = np.repeat(np.array(ids, dtype=np.int64), [len(data) // ENTRY.itemsize for data in packed])
    result["document"] = document_key(numbers, entries["passage"].astype(np.int64))
    result["term"] = entries["term"]
    result["count"] = entries["count"]
    return result


def term_hash(term: str, key: bytes) -> int:
    """Returns the 32-bit hash of a term, keyed with the `key` of the bank, see `secrets.index_key`."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=5, key=key, person=b"terms")
    return int.from_bytes(digest.digest(), "little") & TERM_MASK


def _pack(array: Array, width: int) -> bytes:
    """Returns integers of `width` bytes, split into byte planes, lowest first. Each plane is compressed and prefixed
    with its size; a plane of zeros is empty."""
    parts = array.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    compressor = zstandard.ZstdCompressor(compression_params=_PARAMETERS)
    planes = [compressor.compress(part.tobytes()) if part.any() else b"" for part in parts]
    return b"".join(_SIZE.pack(len(plane)) + plane for plane in planes)


class _Reader:
    """Reads arrays written by `_pack`, in order."""

    def __init__(self, packed: bytes, start: int) -> None:
        self._packed = packed
        self._at = start
        self._decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)

    def read(self, length: int, width: int) -> npt.NDArray[np.int64]:
        """Returns the next array, int64[length]. `width`: see `_pack`."""
        parts = np.zeros((8, length), dtype=np.uint8)
        for part in parts[:width]:
            [size] = _SIZE.unpack_from(self._packed, self._at)
            start = self._at + _SIZE.size
            self._at = start + size
            if size:
                plane = self._decompressor.decompress(self._packed[start : self._at], max_output_size=length)
                part[:] = np.frombuffer(plane, dtype=np.uint8)
        return np.ascontiguousarray(parts.T).view("<i8").reshape(-1)
