"""The reranker of a memory, chosen by name and called with a timeout.

Another package adds a reranker in the entry point group `foxing.rerankers`; the entry point is a callable without
arguments that returns a `Reranker`.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread

from foxing.memory.errors import RerankerError
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.index.model_source import NONE, ModelSource
from foxing.renderer import Factories

from .endpoint import EndpointReranker
from .reranker import ENDPOINT, Reranker

CANDIDATES = 50  # number of best matches that are reranked
MAX_CHARS = 4000  # characters of each text that are passed to the reranker
TIMEOUT_S = 1.0
#: Maximum number of concurrent calls of the reranker; further ones are not reranked. Each call has a thread, which a
#: stalled reranker blocks beyond the timeout.
MAX_WAITING = 16

RERANKERS: Factories[Reranker] = Factories("foxing.rerankers", "reranker", Reranker, RerankerError, [ENDPOINT, NONE])


def open_reranker(name: str, endpoint: EndpointOptions) -> Reranker:
    """Returns the reranker called `name`, which is not "none". Raises `RerankerError` if it cannot be used."""
    return EndpointReranker(endpoint) if name == ENDPOINT else RERANKERS.open(name)


@dataclass(frozen=True)
class Order:
    """An order of texts."""

    #: indexes of the texts, best first
    numbers: Sequence[int]
    #: why the texts were not reranked; None if they were
    note: str | None = None


class RerankerSource(ModelSource[Reranker]):
    """The reranker of that name, or the one given. Loads it on first use. Safe to share between threads."""

    kind = "reranker"
    error = RerankerError

    def __init__(
        self,
        reranker: str | Reranker = NONE,
        endpoint: EndpointOptions | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout_s`: timeout of a call and of a request to the endpoint, in seconds. `clock`: see `ModelSource`.
        Raises `RerankerError` for a name that no reranker has, and for an endpoint without address or model; other
        errors surface on first use."""
        options = replace(endpoint or EndpointOptions(), timeout_s=timeout_s)
        super().__init__(reranker, lambda name: open_reranker(name, options), clock)
        self._timeout_s = timeout_s
        self._waiting = BoundedSemaphore(MAX_WAITING)
        if reranker == ENDPOINT:
            self.load()
        elif isinstance(reranker, str):
            RERANKERS.check(reranker)

    def order(self, question: str, texts: Sequence[str]) -> Order:
        """Returns the order of `texts` by the scores of the reranker; the sort is stable. If it fails or times out,
        returns the given order with a note."""
        as_they_are = range(len(texts))
        if not self.enabled or not texts:
            return Order(as_they_are)
        try:
            scores = self._scores(question, [text[:MAX_CHARS] for text in texts])
        except RerankerError as error:
            return Order(as_they_are, f"not reranked: {error}")
        return Order(sorted(as_they_are, key=lambda number: -scores[number]))

    def _scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Returns the scores of `texts`. Raises `RerankerError`, at once while paused after a failure."""
        self.raise_if_paused()
        if not self._waiting.acquire(blocking=False):
            raise RerankerError(f"the reranker '{self.label}' already has {MAX_WAITING} calls in progress")
        answers: SimpleQueue[Sequence[float] | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self.load().scores(question, texts))
            except Exception as error:  # plug-ins may raise anything
                answers.put(error)
            finally:
                self._waiting.release()

        # a daemon thread, so that a stalled reranker cannot delay process exit
        Thread(target=ask, name="foxing-reranker", daemon=True).start()
        try:
            answer = answers.get(timeout=self._timeout_s)
        except Empty:
            raise self.failed(f"took longer than {self._timeout_s:g} s") from None
        if isinstance(answer, Exception):
            raise self.failed(answer) from answer
        if len(answer) != len(texts) or not all(map(math.isfinite, answer)):
            raise self.failed("did not return one finite score for each text")
        self.succeeded()
        return answer
