"""The reranker of a memory: waited for no longer than its timeout, and left alone for a while after it failed."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread

from foxing.memory.errors import RerankerError

from .registry import open_reranker
from .reranker import ENDPOINT, NONE, RerankEndpointOptions, Reranker

CANDIDATES = 50  # best matches of the search that are read
MAX_CHARS = 4000  # of a text that are read
TIMEOUT_S = 1.0
PAUSE_S = 10.0  # after a failure, in which recall goes on without
#: Questions that wait for the reranker at once; others go on without. Each has a thread, which a stalled reranker keeps
#: for longer than the question waits.
MAX_WAITING = 16


@dataclass(frozen=True)
class Order:
    """An order of texts."""

    #: their numbers, best first
    numbers: Sequence[int]
    #: why the reranker has not chosen it, if it has not
    note: str | None = None


class RerankerSource:
    """The reranker of that name, or the one given. Safe to share between threads."""

    def __init__(
        self,
        reranker: str | Reranker = NONE,
        endpoint: RerankEndpointOptions | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: seconds, for the pause after a failure. Raises `RerankerError` for an endpoint without address or
        model; what else is wrong shows when it is asked."""
        self._name = reranker if isinstance(reranker, str) else reranker.name
        self._given = None if isinstance(reranker, str) else reranker
        self._owned = isinstance(reranker, str)
        self._endpoint = endpoint or RerankEndpointOptions()
        self._timeout_s = timeout_s
        self._clock = clock
        self._failed_at: float | None = None
        self._failure = ""
        self._waiting = BoundedSemaphore(MAX_WAITING)
        if self._name == ENDPOINT and self._owned:
            self._given = open_reranker(self._name, self._endpoint, timeout_s)

    @property
    def enabled(self) -> bool:
        return self._given is not None or self._name != NONE

    def order(self, question: str, texts: Sequence[str]) -> Order:
        """The order in which the reranker puts texts; equal ones keep theirs. Where it cannot, or not within the
        timeout, the order that they have, with a note."""
        as_they_are = range(len(texts))
        if not self.enabled or not texts:
            return Order(as_they_are)
        try:
            scores = self._scores(question, [text[:MAX_CHARS] for text in texts])
        except RerankerError as error:
            return Order(as_they_are, f"not reranked: {error}")
        return Order(sorted(as_they_are, key=lambda number: -scores[number]))

    def close(self) -> None:
        """Closes a reranker that this memory has opened and that holds connections."""
        close = getattr(self._given, "close", None)
        if self._owned and close is not None:
            close()

    def _scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Raises `RerankerError`, without asking for `PAUSE_S` after a failure."""
        if self._failed_at is not None and self._clock() - self._failed_at < PAUSE_S:
            raise RerankerError(self._failure)
        if not self._waiting.acquire(blocking=False):
            raise RerankerError(f"the reranker '{self._label}' is busy with {MAX_WAITING} questions")
        answers: SimpleQueue[Sequence[float] | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._load().scores(question, texts))
            except Exception as error:  # code of other packages as well
                answers.put(error)
            finally:
                self._waiting.release()

        # a daemon: a reranker that stalls must not keep the process from ending
        Thread(target=ask, name="foxing-reranker", daemon=True).start()
        try:
            answer = answers.get(timeout=self._timeout_s)
        except Empty:
            raise self._failed(f"the reranker '{self._label}' took longer than {self._timeout_s:g} s") from None
        if isinstance(answer, RerankerError):
            raise self._failed(str(answer)) from answer
        if isinstance(answer, Exception):
            reason = f"the reranker '{self._label}' failed ({type(answer).__name__}: {answer})"
            raise self._failed(reason) from answer
        if len(answer) != len(texts) or not all(map(math.isfinite, answer)):
            raise self._failed(f"the reranker '{self._label}' gave other scores than one finite number for each text")
        self._failed_at = None
        return answer

    @property
    def _label(self) -> str:
        return self._name if self._given is None else self._given.name

    def _failed(self, reason: str) -> RerankerError:
        self._failure, self._failed_at = reason, self._clock()
        return RerankerError(reason)

    def _load(self) -> Reranker:
        if self._given is None:
            self._given = open_reranker(self._name, self._endpoint, self._timeout_s)
        return self._given
