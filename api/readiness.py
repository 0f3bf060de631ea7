"""Readiness check of the service."""

from math import inf
from time import monotonic

import anyio
import anyio.to_thread

from foxing.memory import Memory
from foxing.renderer import FoxingError

READY_FOR_S = 1.0  # how long the result of a check is cached


class Readiness:
    """Readiness of a memory, cached for one second. The check has a thread of its own, so that a busy service does not
    fail it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._limiter = anyio.CapacityLimiter(1)
        self._asking = anyio.Lock()
        self._asked_at = -inf
        self._error: FoxingError | None = None

    async def check(self) -> None:
        """Raises the error of the last `Memory.check`, if it failed; checks again if the result has expired."""
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
