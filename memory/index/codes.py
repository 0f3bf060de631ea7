"""Codes: the signs of the numbers of an embedding, one bit each, and how near a question is to them.

A question keeps its numbers: signs of the message times numbers of the question rank nearly as whole vectors do.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .embedder import Embeddings

MAX_BITS = 768  # of a code, 96 bytes; numbers beyond are left out
_AT_ONCE = 8192  # codes
WORD_BYTES = 8  # codes are whole words of 64 bits

#: uint8[n, bytes of a code]
Codes = npt.NDArray[np.uint8]


def to_codes(vectors: Embeddings) -> Codes:
    """uint8[n, bytes]: a bit for each of the first `MAX_BITS` numbers, 1 where it is positive, and zeros to a word."""
    bits = np.packbits(vectors[:, :MAX_BITS] > 0, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % WORD_BYTES)))


def code_bytes(dimensions: int) -> int:
    """Bytes of the code of a vector of so many numbers."""
    return -(-min(dimensions, MAX_BITS) // (8 * WORD_BYTES)) * WORD_BYTES


def nearest(codes: Codes, question: Embeddings, limit: int) -> npt.NDArray[np.int64]:
    """int64[`limit`], places of the codes that differ least from that of `question`, float32[dimensions], ascending; of
    those that differ alike the last. All of them if there are no more."""
    differing = distances(codes, question)
    if len(differing) <= limit:
        return np.arange(len(differing))
    furthest = int(np.searchsorted(np.cumsum(np.bincount(differing)), limit))
    places = np.flatnonzero(differing <= furthest)
    too_many = len(places) - limit
    return np.asarray(np.delete(places, np.flatnonzero(differing[places] == furthest)[:too_many]))


def distances(codes: Codes, question: Embeddings) -> npt.NDArray[np.uint16]:
    """uint16[n]: in how many bits each code differs from that of `question`. Some codes at a time, which stay in the
    cache of the processor, and word by word: adding up the words of each code takes longer."""
    asked = to_codes(question[None])[0].view(np.uint64)
    words = codes.view(np.uint64)
    result = np.zeros(len(words), dtype=np.uint16)
    for start in range(0, len(words), _AT_ONCE):
        block, sums = words[start : start + _AT_ONCE], result[start : start + _AT_ONCE]
        for number, word in enumerate(asked):
            sums += np.bitwise_count(block[:, number] ^ word)
    return result


def nearness(codes: Codes, question: Embeddings) -> npt.NDArray[np.float32]:
    """float32[n]: about the scalar product of each vector with `question`, float32[dimensions]."""
    numbers = question[:MAX_BITS]
    bits = np.unpackbits(codes, axis=1, count=len(numbers)).astype(np.float32)
    return np.asarray((2 * (bits @ numbers) - numbers.sum()) / np.sqrt(len(numbers)), dtype=np.float32)


def as_rows(codes: Sequence[bytes], width: int) -> Codes:
    """uint8[n, width] of stored codes, each of a multiple of `width` bytes."""
    return np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(-1, width)
