"""A model that is loaded when first needed, and not asked for a while after a failure: an embedder or a reranker."""

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from foxing.memory.errors import EmbedderError, RerankerError

#: The name of no model.
NONE = "none"
PAUSE_S = 10.0  # after a failure, in which recall goes on without the model


class _Named(Protocol):
    name: str


M = TypeVar("M", bound=_Named)


class ModelSource(Generic[M]):
    """The model of that name, or the one given. Safe to share between threads."""

    #: What it is called in messages.
    kind: str
    error: type[EmbedderError | RerankerError]

    def __init__(
        self, model: str | M, open_model: Callable[[str], M], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: seconds, for the pause after a failure."""
        self._name = model if isinstance(model, str) else model.name
        self._model = None if isinstance(model, str) else model
        self._owned = isinstance(model, str)
        self._open_model = open_model
        self._clock = clock
        self._failed_at: float | None = None
        self._failure = ""

    @property
    def enabled(self) -> bool:
        return self._model is not None or self._name != NONE

    @property
    def label(self) -> str:
        """Name of the model, as far as it is known."""
        return self._name if self._model is None else self._model.name

    def load(self) -> M:
        """The model. Raises `error` if it is "none" or cannot be loaded."""
        if self._model is None:
            if not self.enabled:
                raise self.error(f"this memory has no {self.kind}; choose one by the setting").naming(self.kind)
            self._model = self._open_model(self._name)
        return self._model

    def close(self) -> None:
        """Closes a model that this memory has opened and that holds connections."""
        close = getattr(self._model, "close", None)
        if self._owned and close is not None:
            close()

    def raise_if_paused(self) -> None:
        """Raises `error` for `PAUSE_S` after a failure."""
        if self._failed_at is not None and self._clock() - self._failed_at < PAUSE_S:
            raise self.error(self._failure)

    def failed(self, failure: Exception | str) -> Exception:
        """What to raise for a failure, after which the model is paused. The code of other packages may fail anyhow."""
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
