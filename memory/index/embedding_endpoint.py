"""Embeddings from an OpenAI-compatible endpoint."""

import math
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from foxing.encoder.errors import CodecError
from foxing.encoder.remote.address import Address, redact
from foxing.memory.errors import EmbedderError

from .embedder import Embeddings, EndpointOptions

BATCH = 64  # texts in a request


class EndpointEmbedder:
    """A model behind `POST {url}/embeddings`."""

    slow = True

    def __init__(self, options: EndpointOptions) -> None:
        """Nothing is sent yet. Raises `EmbedderError` for options that cannot be right."""
        try:
            self._address = Address.parse(options.url)
        except CodecError:
            raise EmbedderError("the embedder 'openai' needs the address of an endpoint, such as 'http://…/v1'").naming(
                "embedder_url"
            ) from None
        if not options.model:
            raise EmbedderError("the embedder 'openai' needs the name of a model").naming("embedder_model")
        self.name = f"openai:{options.model}"
        #: numbers in a vector; 0 until the first answer
        self.dimensions = 0
        self._options = options
        self._url = self._address.url_of("/embeddings")
        self._lock = Lock()
        self._client: Any = None

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        parts = [self._embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), dtype=np.float32)

    embed_queries = embed_documents

    def _reason(self, error: Exception) -> str:
        """What went wrong, without keys and passwords. The error is not chained: it names the whole address."""
        text = " ".join(redact(str(error), (*self._address.secrets, self._options.api_key or "")).split())[:200]
        return f"{type(error).__name__}: {text}" if text else type(error).__name__

    def close(self) -> None:
        """Closes the connections that are open."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        body = {"model": self._options.model, "input": [text.encode("utf-8", "replace").decode() for text in texts]}
        try:
            response = self._opened().post(self._url, json=body)
            response.raise_for_status()
            vectors = _vectors(response.json(), len(texts))
        except EmbedderError:
            raise
        except Exception as error:  # of the network, of the server, or of what it answers
            raise EmbedderError(f"the embedder '{self.name}' does not answer ({self._reason(error)})") from None
        self.dimensions = vectors.shape[1]
        return vectors

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    import httpx
                except ImportError as error:
                    raise EmbedderError("the embedder 'openai' needs httpx: pip install 'foxing[remote]'") from error
                key = self._options.api_key
                headers = {} if key is None else {"Authorization": f"Bearer {key}"}
                self._client = httpx.Client(headers=headers, auth=self._address.auth, timeout=self._options.timeout_s)
            return self._client


def _vectors(answer: Any, expected: int) -> Embeddings:
    """The vectors of an answer in the order of its texts, of length 1. Raises `ValueError` and the like."""
    rows = sorted(answer["data"], key=lambda row: row.get("index", 0))
    vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != expected or not vectors.shape[1] or not math.isfinite(vectors.sum()):
        raise ValueError("it answers with other vectors than one of finite numbers for each text")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[lengths[:, 0] == 0, 0] = 1
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)
