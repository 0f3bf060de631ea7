"""Lazy loading and failure back-off of an embedder or a reranker."""

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from foxing.memory.errors import EmbedderError, RerankerError

#: The name that disables the model.
NONE = "none"
PAUSE_S = 10.0  # seconds after a failure during which recall does not call the model


class _Named(Protocol):
    name: str


M = TypeVar("M", bound=_Named)


class ModelSource(Generic[M]):
    """The model of that name, or the one given. Loads it on first use. Safe to share between threads."""

    #: "embedder" or "reranker": its name in messages, and the setting that chooses it.
    kind: str
    #: The error raised for every failure.
    error: type[EmbedderError | RerankerError]

    def __init__(
        self, model: str | M, open_model: Callable[[str], M], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: returns seconds, for the pause after a failure."""
        self._name = model if isinstance(model, str) else model.name
        self._model = None if isinstance(model, str) else model
        self._owned = isinstance(model, str)
        self._open_model = open_model
        self._clock = clock
        self._failed_at: float | None = None
        self._failure = ""

    @property
    def enabled(self) -> bool:
        """False if the model is "none"."""
        return self._model is not None or self._name != NONE

    @property
    def label(self) -> str:
        """Name of the model, or the configured name until it is loaded."""
        return self._name if self._model is None else self._model.name

    def load(self) -> M:
        """Returns the model, loaded if necessary. Raises `error` if it is "none" or cannot be loaded."""
        if self._model is None:
            if not self.enabled:
                raise self.error(f"this memory has no {self.kind}; set one").naming(self.kind)
            self._model = self._open_model(self._name)
        return self._model

    def close(self) -> None:
        """Closes the model if this source has opened it and it has a method `close`."""
        close = getattr(self._model, "close", None)
        if self._owned and close is not None:
            close()

    def raise_if_paused(self) -> None:
        """Raises `error` if the last failure was less than `PAUSE_S` ago."""
        if self._failed_at is not None and self._clock() - self._failed_at < PAUSE_S:
            raise self.error(self._failure)

    def failed(self, failure: Exception | str) -> Exception:
        """Starts the pause after a failure, and returns the error to raise, an instance of `error`. `failure`: an
        exception of any type, or the predicate of a message about the model."""
        if isinstance(failure, self.error):
            reason = str(failure)
        elif isinstance(failure, Exception):
            reason = f"the {self.kind} '{self.label}' failed ({type(failure).__name__}: {failure})"
        else:
            reason = f"the {self.kind} '{self.label}' {failure}"
        self._failure, self._failed_at = reason, self._clock()
        return failure if isinstance(failure, self.error) else self.error(reason)

    def succeeded(self) -> None:
        """Ends the pause."""
        self._failed_at = None
