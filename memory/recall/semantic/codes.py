"""Codes: the signs of the numbers of an embedding, one bit each, and how near a question is to them.

A question keeps its numbers: signs of the message times numbers of the question rank nearly as whole vectors do.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.memory.recall.embedding import Embeddings

MAX_BITS = 768  # of a code, 96 bytes; numbers beyond are left out
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


def distances(codes: Codes, question: Embeddings) -> npt.NDArray[np.int64]:
    """int64[n]: in how many bits each code differs from that of `question`, float32[dimensions]."""
    words = codes.view(np.uint64) ^ to_codes(question[None])[0].view(np.uint64)
    differing = np.einsum("ij->i", np.bitwise_count(words), dtype=np.uint16)  # in half the time of `sum`
    return np.asarray(differing, dtype=np.int64)


def nearness(codes: Codes, question: Embeddings) -> npt.NDArray[np.float32]:
    """float32[n]: about the scalar product of each vector with `question`, float32[dimensions]."""
    numbers = question[:MAX_BITS]
    bits = np.unpackbits(codes, axis=1, count=len(numbers)).astype(np.float32)
    return np.asarray((2 * (bits @ numbers) - numbers.sum()) / np.sqrt(len(numbers)), dtype=np.float32)


def as_rows(codes: Sequence[bytes], width: int) -> Codes:
    """uint8[n, width] of stored codes, each of a multiple of `width` bytes."""
    return np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(-1, width)
