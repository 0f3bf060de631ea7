"""Whether the service can be used."""

from math import inf
from time import monotonic

import anyio
import anyio.to_thread

from foxing.memory import Memory
from foxing.renderer import FoxingError

READY_FOR_S = 1.0  # how long the answer of a readiness check holds


class Readiness:
    """Whether a memory can be used, asked at most once a second, whoever wants to know, and in a thread of its own: an
    orchestrator must not take a busy service for a broken one."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._limiter = anyio.CapacityLimiter(1)
        self._asking = anyio.Lock()
        self._asked_at = -inf
        self._error: FoxingError | None = None

    async def check(self) -> None:
        """Raises the error that `Memory.check` raised when it was asked last."""
        async with self._asking:
            if monotonic() - self._asked_at >= READY_FOR_S:
                try:
                    await anyio.to_thread.run_sync(self._memory.check, limiter=self._limiter)
                    self._error = None
                except FoxingError as error:
                    self._error = error
                self._asked_at = monotonic()
        if self._error is not None:
            raise self._error.with_traceback(None)
