"""A small deterministic embedder that fails when it is told to."""

import zlib
from collections.abc import Sequence

import numpy as np

from foxing.memory.index.embedder import Embeddings


class WordEmbedder:
    """Bags of words, hashed. `slow`: embed messages after they are stored."""

    name = "words-1"
    dimensions = 64

    def __init__(self, *, slow: bool) -> None:
        self.slow = slow
        self.fails = False
        #: Number of calls that failed.
        self.failures = 0

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        if self.fails:
            self.failures += 1
            raise TimeoutError("the embedder does not answer")
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                vector[zlib.crc32(word.encode("utf-8", "replace")) % self.dimensions] += 1
            vector /= np.linalg.norm(vector) or 1
        return vectors

    embed_queries = embed_documents
