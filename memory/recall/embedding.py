"""Embeddings: what an embedder does, for semantic search."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

#: float32[n, dimensions], each row of length 1.
Embeddings = npt.NDArray[np.float32]


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose scalar product says how alike they are in meaning. Safe to share between threads.

    Recall does not use embedders yet. `foxing.memory.recall.conformance` checks an implementation.
    """

    #: names model and version: vectors of embedders with different names are not comparable
    name: str
    #: numbers in a vector
    dimensions: int

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        """One vector for each text that may be found, float32[len(texts), dimensions], each of length 1."""

    def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """One vector for each question, float32[len(texts), dimensions], each of length 1."""
