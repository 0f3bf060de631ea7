"""Embedders behind an endpoint: OpenAI-compatible for texts, and with Jina AI's inputs for texts and images."""

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .embedder import ENDPOINT, MULTIMODAL, Embeddings
from .model_endpoint import EndpointOptions, ModelEndpoint, encodable

BATCH = 64  # maximum number of texts in a request
IMAGE_BATCH = 8  # maximum number of images in a request
#: Statuses of an image that the model cannot take.
_REFUSED = frozenset({400, 413, 415, 422})


class EndpointEmbedder:
    """A model behind `POST {url}/embeddings`."""

    slow = True
    kind = ENDPOINT

    def __init__(self, options: EndpointOptions) -> None:
        """Sends no request. Raises `EmbedderError` for invalid options."""
        self._endpoint = ModelEndpoint(options, "/embeddings", self.kind)
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
            return self._vectors_of([self._input(encodable(text)) for text in texts])
        except Exception as error:  # of the network, the server or its response
            raise self._endpoint.failure(error) from None

    def _input(self, text: str) -> object:
        """Returns a text as an input of a request."""
        return text

    def _vectors_of(self, inputs: Sequence[object]) -> Embeddings:
        vectors = _vectors(self._endpoint.post({"input": inputs}), len(inputs))
        self.dimensions = vectors.shape[1]
        return vectors


class MultimodalEmbedder(EndpointEmbedder):
    """A model of texts and images behind `POST {url}/embeddings`, whose inputs are `{"text": …}` and
    `{"image": Base64}`, as of Jina AI."""

    kind = MULTIMODAL

    def embed_images(self, images: Sequence[bytes]) -> Embeddings:
        """See `ImageEmbedder.embed_images`. Raises `EmbedderError`."""
        parts = [
            self._embed_images(images[start : start + IMAGE_BATCH]) for start in range(0, len(images), IMAGE_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), dtype=np.float32)

    def _input(self, text: str) -> object:
        return {"text": text}

    def _embed_images(self, images: Sequence[bytes]) -> Embeddings:
        try:
            return self._vectors_of([{"image": base64.b64encode(image).decode()} for image in images])
        except Exception as error:  # of the network, the server or its response
            if getattr(getattr(error, "response", None), "status_code", None) not in _REFUSED:
                raise self._endpoint.failure(error) from None
        if len(images) > 1:  # which of them is it?
            return np.concatenate([self._embed_images([image]) for image in images])
        return np.zeros((1, self.dimensions), dtype=np.float32)


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
