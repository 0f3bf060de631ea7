"""Segments of the index in a bundle: plain arrays, which cannot expand, and of which every number is checked."""

import struct

import numpy as np

from foxing.memory.index.postings import Array, Postings
from foxing.memory.text.passages import PASSAGE_BITS, document_key, message_of, passage_of

_HEAD = struct.Struct("<QQQ")


def to_bytes(postings: Postings, moved_by: int) -> bytes:
    """Returns the postings with the numbers of their messages less `moved_by`."""
    documents = postings.documents - (moved_by << PASSAGE_BITS)
    arrays = (
        documents.astype("<i8"),
        postings.terms.astype("<u4"),
        np.diff(postings.starts).astype("<u4"),
        postings.places.astype("<u4"),
        postings.counts.astype("<u2"),
    )
    head = _HEAD.pack(len(documents), len(postings.terms), len(postings.places))
    return head + b"".join(array.tobytes() for array in arrays)


def from_bytes(data: bytes, numbers: Array, moved_by: int) -> Postings:
    """Returns postings with `moved_by` added. `numbers`: those of all messages, ascending. Raises `ValueError`."""
    if len(data) < _HEAD.size:
        raise ValueError("it is too short")
    n, t, p = _HEAD.unpack_from(data)
    sizes = (8 * n, 4 * t, 4 * t, 4 * p, 2 * p)
    if not n or not t or not p or _HEAD.size + sum(sizes) != len(data):
        raise ValueError("its sizes are wrong")
    arrays = []
    start = _HEAD.size
    for size, kind in zip(sizes, ("<i8", "<u4", "<u4", "<u4", "<u2"), strict=True):
        arrays.append(np.frombuffer(data[start : start + size], kind))
        start += size
    documents, terms, frequencies, places, counts = (array.astype(np.int64) for array in arrays)
    are_there = np.isin(message_of(documents), numbers)
    ascending = (np.diff(documents) > 0).all() and (np.diff(terms) > 0).all()
    if not are_there.all() or not ascending or frequencies.min() < 1 or frequencies.sum() != p or places.max() >= n:
        raise ValueError("its numbers are not those of an index of these messages")
    starts = np.append(0, np.cumsum(frequencies))
    steps = np.diff(places)
    steps[starts[1:-1] - 1] = 1  # the next term begins anew
    if (steps <= 0).any() or counts.min() < 1:
        raise ValueError("its numbers are not in order")
    moved = document_key(message_of(documents) + moved_by, passage_of(documents))
    return Postings(moved, terms.astype(np.uint64), starts, places.astype(np.uint32), counts.astype(np.uint16))
