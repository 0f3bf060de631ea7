"""The embedder of a memory: loaded when first needed, and left alone for a while after it failed."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from foxing.memory.errors import EmbedderError

from .embedder import ENDPOINT, NONE, Embedder, Embeddings, EndpointOptions
from .embedders import open_embedder

PAUSE_S = 10.0  # after a failure, in which recall does not wait for the embedder
MAX_CHARS = 4000  # of a text that are embedded


class EmbedderSource:
    """The embedder of that name, or the one given."""

    def __init__(
        self,
        embedder: str | Embedder,
        endpoint: EndpointOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        later: bool = False,
    ) -> None:
        """`later`: whether messages are embedded after they are stored, however fast the embedder is.

        `clock`: seconds, for the pause after a failure. Raises `EmbedderError` for an endpoint without address or
        model; whether anything answers there shows when it is asked."""
        self._name = embedder if isinstance(embedder, str) else embedder.name
        self._given = embedder if not isinstance(embedder, str) else None
        self._later = later
        self._owned = isinstance(embedder, str)
        self._endpoint = endpoint
        self._clock = clock
        self._failed_at: float | None = None
        self._failure = ""
        if self._name == ENDPOINT and self._given is None:
            self._given = open_embedder(self._name, endpoint)

    @property
    def enabled(self) -> bool:
        return self._given is not None or self._name != NONE

    @property
    def usable(self) -> bool:
        """Whether there is an embedder and it can be loaded; an endpoint may be down all the same."""
        try:
            return self.enabled and self.load() is not None
        except EmbedderError:
            return False

    @property
    def slow(self) -> bool:
        """Whether messages are embedded after they are stored."""
        return self._later or bool(getattr(self.load(), "slow", False))

    def load(self) -> Embedder:
        """The embedder. Raises `EmbedderError` if it is "none" or cannot be loaded."""
        if self._given is None:
            if not self.enabled:
                raise EmbedderError("this memory has no embedder; choose one by the setting").naming("embedder")
            self._given = open_embedder(self._name, self._endpoint)
        return self._given

    def close(self) -> None:
        """Closes an embedder that this memory has opened and that holds connections."""
        close = getattr(self._given, "close", None)
        if self._owned and close is not None:
            close()

    def documents(self, texts: Sequence[str]) -> Embeddings:
        """Embeds messages. Raises `EmbedderError`."""
        return self._asked(lambda: self.load().embed_documents([text[:MAX_CHARS] for text in texts]))

    def question(self, text: str) -> Embeddings:
        """float32[dimensions]. Raises `EmbedderError`, without asking for `PAUSE_S` after a failure."""
        if self._failed_at is not None and self._clock() - self._failed_at < PAUSE_S:
            raise EmbedderError(self._failure)
        vectors = self._asked(lambda: self.load().embed_queries([text[:MAX_CHARS]]))
        return np.asarray(vectors[0], dtype=np.float32)

    def _asked(self, ask: Callable[[], Embeddings]) -> Embeddings:
        try:
            vectors = ask()
        except Exception as error:  # code of other packages as well
            self._failure = str(error)
            self._failed_at = self._clock()
            if isinstance(error, EmbedderError):
                raise
            raise EmbedderError(f"the embedder '{self._name}' failed ({type(error).__name__}: {error})") from error
        self._failed_at = None
        return vectors
