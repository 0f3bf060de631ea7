"""The embedder of a memory."""

import time
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
from cachetools import LRUCache

from foxing.memory.errors import EmbedderError

from .embedder import ENDPOINT, MULTIMODAL, Embedder, Embeddings, ImageEmbedder
from .embedders import EMBEDDERS, open_embedder
from .model_endpoint import EndpointOptions
from .model_source import ModelSource

MAX_CHARS = 4000  # characters of each text that are embedded
QUESTIONS = 32  # whose vectors are kept: the same question is asked in one bank after the other


class EmbedderSource(ModelSource[Embedder]):
    """The embedder of that name, or the one given. Loads it on first use. Safe to share between threads."""

    kind = "embedder"
    error = EmbedderError

    def __init__(
        self,
        embedder: str | Embedder,
        endpoint: EndpointOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        later: bool = False,
    ) -> None:
        """`later`: embed messages after they are stored, even if the embedder is fast. `clock`: see `ModelSource`.
        Raises `EmbedderError` for a name that no embedder has, and for an endpoint without address or model; other
        errors surface on first use."""
        super().__init__(embedder, lambda name: open_embedder(name, endpoint), clock)
        self._later = later
        self._lock = Lock()
        #: Question → its vector.
        self._questions: LRUCache[str, Embeddings] = LRUCache(QUESTIONS)
        if embedder in (ENDPOINT, MULTIMODAL):
            self.load()
        elif isinstance(embedder, str):
            EMBEDDERS.check(embedder)

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
        self.raise_if_paused()
        asked = text[:MAX_CHARS]
        with self._lock:
            vector = self._questions.get(asked)
        if vector is None:
            vectors = self._embedded(lambda: self.load().embed_queries([asked]))
            vector = np.array(vectors[0], dtype=np.float32)
            vector.setflags(write=False)  # shared by all who ask
            with self._lock:
                self._questions[asked] = vector
        return vector

    def _embedded(self, embed: Callable[[], Embeddings]) -> Embeddings:
        try:
            vectors = embed()
        except Exception as error:  # plug-ins may raise anything
            raise self.failed(error) from error
        self.succeeded()
        return vectors
