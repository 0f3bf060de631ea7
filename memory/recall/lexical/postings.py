"""Postings: which documents contain which terms how often, as sorted arrays, and packed into few bytes.

A document is a passage of a message. A term is a keyed hash of 32 bits of a word, so that what is packed is no copy of
the text; a word shares its hash with one of a hundred thousand others in one of 40,000 cases, and finds both then.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.memory.text.passages import document_key

TERM_MASK = (1 << 32) - 1
MOST = (1 << 16) - 1  # of a term in a document that are counted

_LEVEL = 9
_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(
    _LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_checksum=False
)

#: A term of a document and how often it stands there.
RECORD = np.dtype([("document", "<i8"), ("term", "<u8"), ("count", "<u2")])

#: The same of a message that is known; what a message is stored as until it is packed with others.
ENTRY = np.dtype([("passage", "<u2"), ("count", "<u2"), ("term", "<u8")])

Array = npt.NDArray[Any]

_HEADER = struct.Struct("<BIIIq")  # format, documents, terms, postings, the first document
_FORMAT = 2
_WIDE_TERMS = 1  # the format before it, whose hashes have 40 bits: the lower ones are those of today
_WIDTHS = (8, 8, 4, 4, 2)  # bytes of the numbers of each array before packing


@dataclass(frozen=True)
class Postings:
    """The postings of some documents, by term."""

    #: int64[n], keys of the documents, ascending
    documents: Array
    #: uint64[t], ascending
    terms: Array
    #: int64[t + 1], where the postings of each term begin
    starts: Array
    #: uint32[p], places in `documents`, ascending for each term
    places: Array
    #: uint16[p], how often
    counts: Array

    @classmethod
    def of(cls, records: Array) -> "Postings":
        """The postings of `records`, `RECORD`[p] in any order; a term of a document occurs once."""
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

    @property
    def records(self) -> Array:
        """`RECORD`[p], by term."""
        result = np.empty(len(self.places), dtype=RECORD)
        result["document"] = self.documents[self.places]
        result["term"] = np.repeat(self.terms, np.diff(self.starts))
        result["count"] = self.counts
        return result

    @cached_property
    def lengths(self) -> npt.NDArray[np.float64]:
        """float64[n], terms of each document with repetitions."""
        counted = np.bincount(self.places, weights=self.counts, minlength=len(self.documents))
        return np.asarray(counted, dtype=np.float64)

    @cached_property
    def total(self) -> float:
        """Terms of all documents with repetitions."""
        return float(self.lengths.sum())

    @property
    def nbytes(self) -> int:
        arrays = (self.documents, self.terms, self.starts, self.places, self.counts)
        return sum(array.nbytes for array in arrays) + 8 * len(self.documents)

    def pack(self) -> bytes:
        """The postings in few bytes."""
        n, t, p = len(self.documents), len(self.terms), len(self.places)
        if not n:
            return _HEADER.pack(_FORMAT, 0, 0, 0, 0)
        gaps = np.diff(self.places.astype(np.int64), prepend=0)
        gaps[self.starts[:-1]] = self.places[self.starts[:-1]]  # each term begins anew
        arrays = (
            np.diff(self.documents, prepend=self.documents[0]),
            np.diff(self.terms, prepend=np.uint64(0)),
            np.diff(self.starts),
            gaps,
            self.counts,
        )
        planes = [plane for array, width in zip(arrays, _WIDTHS, strict=True) for plane in _planes(array, width)]
        sizes = np.array([len(plane) for plane in planes], dtype="<u4").tobytes()
        return _HEADER.pack(_FORMAT, n, t, p, int(self.documents[0])) + sizes + b"".join(planes)

    @classmethod
    def unpack(cls, packed: bytes) -> "Postings":
        """The postings of `pack`. Raises `ValueError` if they are damaged."""
        try:
            return cls._unpack(packed)
        except (struct.error, zstandard.ZstdError, IndexError, ValueError) as error:
            raise ValueError("these are no packed postings") from error

    @classmethod
    def _unpack(cls, packed: bytes) -> "Postings":
        version, n, t, p, first = _HEADER.unpack_from(packed)
        if version not in (_FORMAT, _WIDE_TERMS):
            raise ValueError
        if not n:
            return NO_POSTINGS
        sizes = np.frombuffer(packed, "<u4", sum(_WIDTHS), _HEADER.size)
        ends = np.cumsum(sizes, dtype=np.int64) + _HEADER.size + sizes.nbytes
        planes = iter([packed[a:b] for a, b in pairwise([_HEADER.size + sizes.nbytes, *ends.tolist()])])
        lengths = (n, t, t, p, p)
        steps, hashes, frequencies, gaps, counts = (
            _joined([next(planes) for _ in range(width)], length)
            for width, length in zip(_WIDTHS, lengths, strict=True)
        )
        starts = np.append(0, np.cumsum(frequencies.astype(np.int64)))
        within = np.cumsum(gaps.astype(np.int64))
        before = np.repeat(within[starts[:-1]] - gaps[starts[:-1]].astype(np.int64), np.diff(starts))
        found = cls(
            np.cumsum(steps.astype(np.int64)) + first,
            np.cumsum(hashes),
            starts,
            (within - before).astype(np.uint32),
            counts.astype(np.uint16),
        )
        return cls.of(_narrowed(found.records)) if version == _WIDE_TERMS else found


def _narrowed(found: Array) -> Array:
    """`RECORD`s with terms of 32 bits; of those of a document that are alike then, the first."""
    found["term"] &= TERM_MASK
    _, first = np.unique(found[["document", "term"]], return_index=True)
    return found[first]


NO_POSTINGS = Postings.of(np.zeros(0, dtype=RECORD))


def entries(passages: Sequence[Mapping[str, int]], key: bytes) -> Array:
    """`ENTRY`[p] of a message: term → count, for each passage."""
    found = [
        (number, min(count, MOST), term_hash(term, key))
        for number, terms in enumerate(passages)
        for term, count in terms.items()
    ]
    return _merged(np.array(found, dtype=ENTRY))


def _merged(found: Array) -> Array:
    """`ENTRY`s by passage and term, those of the same passage and term added up."""
    order = np.lexsort((found["term"], found["passage"]))
    found = found[order]
    new = np.ones(len(found), dtype=bool)
    new[1:] = (np.diff(found["passage"].astype(np.int64)) != 0) | (found["term"][1:] != found["term"][:-1])
    result = found[new]
    if len(result) < len(found):  # two words with the same hash
        sums = np.add.reduceat(found["count"].astype(np.int64), np.flatnonzero(new))
        result["count"] = np.minimum(sums, MOST)
    return np.asarray(result)


def records(messages: Iterable[tuple[int, bytes]]) -> Array:
    """`RECORD`[p] of messages: their ids and `ENTRY`s as bytes."""
    ids, packed = [], []
    for message_id, data in messages:
        ids.append(message_id)
        packed.append(data)
    found = np.frombuffer(b"".join(packed), dtype=ENTRY)
    result = np.empty(len(found), dtype=RECORD)
    numbers = np.repeat(np.array(ids, dtype=np.int64), [len(data) // ENTRY.itemsize for data in packed])
    result["document"] = document_key(numbers, found["passage"].astype(np.int64))
    result["term"], result["count"] = found["term"], found["count"]
    if result["term"].max(initial=0) > TERM_MASK:  # of messages that were stored when hashes had 40 bits
        return _narrowed(result)
    return result


def term_hash(term: str, key: bytes) -> int:
    """What stands for a term in the index of a database with the secret `key`: 32 bits."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=5, key=key, person=b"terms")
    return int.from_bytes(digest.digest(), "little") & TERM_MASK


def _planes(array: Array, width: int) -> list[bytes]:
    """The numbers byte by byte: first the lowest bytes of all, and so on, each packed; nothing for zeros alone."""
    parts = array.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    compressor = zstandard.ZstdCompressor(compression_params=_PARAMETERS)
    return [compressor.compress(part.tobytes()) if part.any() else b"" for part in parts]


def _joined(planes: Sequence[bytes], length: int) -> Array:
    """uint64[length] of `_planes`."""
    parts = np.zeros((8, length), dtype=np.uint8)
    decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    for part, plane in zip(parts, planes, strict=False):
        if plane:
            part[:] = np.frombuffer(decompressor.decompress(plane, max_output_size=length), dtype=np.uint8)
    return np.ascontiguousarray(parts.T).view("<u8").reshape(-1)
