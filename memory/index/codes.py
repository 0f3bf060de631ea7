"""Codes: binary-quantized embeddings, one sign bit per dimension, and their similarity to a question.

The question is not quantized: dot products of its vector with sign vectors rank nearly like those of full vectors.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from .embedder import Embeddings

MAX_BITS = 768  # bits of a code, 96 bytes; further dimensions are dropped
_AT_ONCE = 8192  # codes compared per block, which fits the CPU cache
WORD_BYTES = 8  # codes are padded to whole words of 64 bits

#: uint8[n, code_bytes]
Codes = npt.NDArray[np.uint8]


def to_codes(vectors: Embeddings) -> Codes:
    """Returns the codes of vectors, uint8[n, code_bytes]: the bit of each of the first `MAX_BITS` dimensions is 1 where
    the component is positive; codes are zero-padded to whole words."""
    bits = np.packbits(vectors[:, :MAX_BITS] > 0, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % WORD_BYTES)))


def code_bytes(dimensions: int) -> int:
    """Returns the size in bytes of the code of a vector with this many dimensions."""
    return -(-min(dimensions, MAX_BITS) // (8 * WORD_BYTES)) * WORD_BYTES


def nearest(codes: Codes, question: Embeddings, limit: int) -> npt.NDArray[np.int64]:
    """Returns the row numbers of the `limit` codes with the smallest Hamming distance to that of `question`, or of all
    if there are fewer: int64[≤ limit], ascending. Among equal distances, later rows win. `question`:
    float32[dimensions]."""
    if len(codes) <= limit:
        return np.arange(len(codes))
    differing = distances(codes, question)
    furthest = int(np.searchsorted(np.cumsum(np.bincount(differing)), limit))
    places = np.flatnonzero(differing <= furthest)
    too_many = len(places) - limit
    return np.asarray(np.delete(places, np.flatnonzero(differing[places] == furthest)[:too_many]))


def distances(codes: Codes, question: Embeddings) -> npt.NDArray[np.uint16]:
    """Returns uint16[n], the Hamming distance of each code to that of `question`. Works in blocks that fit the CPU
    cache, and word by word, which is faster than summing over the words of each code."""
    code = to_codes(question[None])[0].view(np.uint64)
    words = codes.view(np.uint64)
    result = np.zeros(len(words), dtype=np.uint16)
    for start in range(0, len(words), _AT_ONCE):
        block = words[start : start + _AT_ONCE]
        sums = result[start : start + _AT_ONCE]
        for number, word in enumerate(code):
            sums += np.bitwise_count(block[:, number] ^ word)
    return result


def similarities(codes: Codes, question: Embeddings) -> npt.NDArray[np.float32]:
    """Returns float32[n], the approximate dot product of each vector with `question`, float32[dimensions]. Looks up
    what each byte of a code contributes: a matrix product would wake the other threads of the BLAS."""
    numbers = question[:MAX_BITS]
    padded = np.pad(numbers, (0, 8 * codes.shape[1] - len(numbers))).reshape(-1, 8)
    contributed = (_byte_signs() @ padded.T).T  # float32[bytes, 256]
    places = codes + np.arange(0, contributed.size, 256)
    return np.asarray(contributed.ravel().take(places).sum(axis=1) / np.sqrt(len(numbers)), dtype=np.float32)


@cache
def _byte_signs() -> npt.NDArray[np.float32]:
    """Returns float32[256, 8]: 1 and -1 for the bits of each byte."""
    return 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) - 1


def as_rows(codes: Sequence[bytes], width: int) -> Codes:
    """Returns stored codes as uint8[n, width]. Each of `codes` has a multiple of `width` bytes."""
    return np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(-1, width)
