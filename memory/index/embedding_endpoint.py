"""Embedder behind an OpenAI-compatible endpoint."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from foxing.memory.errors import EmbedderError

from .embedder import ENDPOINT, Embeddings
from .model_endpoint import EndpointOptions, ModelEndpoint, encodable

BATCH = 64  # maximum number of texts in a request


class EndpointEmbedder:
    """A model behind `POST {url}/embeddings`."""

    slow = True

    def __init__(self, options: EndpointOptions) -> None:
        """Sends no request. Raises `EmbedderError` for invalid options."""
        self._endpoint = ModelEndpoint(options, "/embeddings", "embedder", ENDPOINT, EmbedderError)
        self.name = self._endpoint.name
        #: number of dimensions of a vector; 0 until the first response
        self.dimensions = 0
        self.close = self._endpoint.close

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        """See `Embedder.embed_documents`. Raises `EmbedderError`."""
        parts = [self._embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), dtype=np.float32)

    embed_queries = embed_documents

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        try:
            answer = self._endpoint.post({"input": [encodable(text) for text in texts]})
            vectors = _vectors(answer, len(texts))
        except Exception as error:  # of the network, the server or its response
            raise self._endpoint.failure(error) from None
        self.dimensions = vectors.shape[1]
        return vectors


def _vectors(answer: Any, expected: int) -> Embeddings:
    """Returns the vectors of a response in the order of the texts, normalized to length 1. Raises `ValueError`,
    `KeyError` or `TypeError` for a response of another shape."""
    rows = sorted(answer["data"], key=lambda row: row.get("index", 0))
    vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != expected or not vectors.shape[1] or not math.isfinite(vectors.sum()):
        raise ValueError("the response does not have one vector of finite numbers for each text")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[lengths[:, 0] == 0, 0] = 1
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)
