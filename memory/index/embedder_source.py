"""The embedder of a memory."""

import time
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
from cachetools import LRUCache

from foxing.memory.errors import EmbedderError

from .embedder import ENDPOINT, MULTIMODAL, NONE, Embedder, Embeddings, ImageEmbedder
from .embedders import EMBEDDERS, open_embedder
from .model_endpoint import EndpointOptions

MAX_CHARS = 4000  # characters of each text that are embedded
PAUSE_S = 10.0  # seconds after a failure during which recall does not call the embedder
QUESTIONS = 32  # whose vectors are kept: the same question is asked in one bank after the other


class EmbedderSource:
    """The embedder of that name, or the one given. Loads it on first use. Safe to share between threads."""

    def __init__(
        self,
        embedder: str | Embedder,
        endpoint: EndpointOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        later: bool = False,
    ) -> None:
        """`later`: embed messages after they are stored, even if the embedder is fast. `clock`: returns seconds, for
        the pause after a failure. Raises `EmbedderError` for a name that no embedder has, and for an endpoint without
        address or model; other errors surface on first use."""
        self._name = embedder if isinstance(embedder, str) else embedder.name
        self._embedder = None if isinstance(embedder, str) else embedder
        self._is_own = isinstance(embedder, str)
        self._endpoint = endpoint
        self._later = later
        self._clock = clock
        self._failed_at: float | None = None
        self._failure = ""
        self._lock = Lock()
        #: Question → its vector.
        self._questions: LRUCache[str, Embeddings] = LRUCache(QUESTIONS)
        if embedder in (ENDPOINT, MULTIMODAL):
            self.load()
        elif isinstance(embedder, str):
            EMBEDDERS.check(embedder)

    @property
    def enabled(self) -> bool:
        """False if the embedder is "none"."""
        return self._embedder is not None or self._name != NONE

    @property
    def label(self) -> str:
        """Name of the embedder, or the configured name until it is loaded."""
        return self._name if self._embedder is None else self._embedder.name

    def load(self) -> Embedder:
        """Returns the embedder, loaded if necessary. Raises `EmbedderError` if it is "none" or cannot be loaded."""
        if self._embedder is None:
            if not self.enabled:
                raise EmbedderError("this memory has no embedder; set one").naming("embedder")
            self._embedder = open_embedder(self._name, self._endpoint)
        return self._embedder

    def close(self) -> None:
        """Closes the embedder if this source has opened it and it has a method `close`."""
        close = getattr(self._embedder, "close", None)
        if self._is_own and close is not None:
            close()

    @property
    def usable(self) -> bool:
        """True if there is an embedder and it can be loaded. Does not check that an endpoint responds."""
        try:
            return self.enabled and self.load() is not None
        except EmbedderError:
            return False

    @property
    def slow(self) -> bool:
        """True if messages are embedded after they are stored. Raises `EmbedderError`."""
        return self._later or self.slow_itself

    @property
    def slow_itself(self) -> bool:
        """True if the embedder is slow, such as an endpoint. Raises `EmbedderError`."""
        return bool(getattr(self.load(), "slow", False))

    def documents(self, texts: Sequence[str]) -> Embeddings:
        """Returns the vectors of messages, float32[len(texts), dimensions]. Raises `EmbedderError`."""
        return self._embedded(lambda: self.load().embed_documents([text[:MAX_CHARS] for text in texts]))

    @property
    def sees(self) -> bool:
        """True if the embedder embeds images as well. Raises `EmbedderError`."""
        return self.enabled and isinstance(self.load(), ImageEmbedder)

    def images(self, images: Sequence[bytes]) -> Embeddings:
        """Returns the vectors of images, files of JPEG, float32[len(images), dimensions]; zeros for one that the model
        refuses. Raises `EmbedderError`."""
        embedder = self.load()
        assert isinstance(embedder, ImageEmbedder)
        return self._embedded(lambda: embedder.embed_images(images))

    def question(self, text: str) -> Embeddings:
        """Returns the vector of a question, float32[dimensions]. Raises `EmbedderError`, at once while paused after a
        failure."""
        if self._failed_at is not None and self._clock() - self._failed_at < PAUSE_S:
            raise EmbedderError(self._failure)
        question = text[:MAX_CHARS]
        with self._lock:
            vector = self._questions.get(question)
        if vector is None:
            vectors = self._embedded(lambda: self.load().embed_queries([question]))
            vector = np.array(vectors[0], dtype=np.float32)
            vector.setflags(write=False)  # shared by all who ask
            with self._lock:
                self._questions[question] = vector
        return vector

    def _embedded(self, embed: Callable[[], Embeddings]) -> Embeddings:
        try:
            vectors = embed()
        except Exception as error:  # plug-ins may raise anything
            self._failed_at = self._clock()
            self._failure = str(error)
            if isinstance(error, EmbedderError):
                raise
            self._failure = f"the embedder '{self.label}' failed ({type(error).__name__}: {error})"
            raise EmbedderError(self._failure) from error
        self._failed_at = None
        return vectors
