"""Limit of concurrent calls whose tenants take turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from foxing.memory.fair_semaphore import FairQueue


class FairLimiter:
    """Up to `number` calls at once of an event loop, by `FairQueue`: a tenant waits for one call of each other tenant
    at most, however many of theirs wait."""

    def __init__(self, number: int) -> None:
        self._queue = FairQueue[asyncio.Future[None]](number, number)

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a place."""
        return len(self._queue)

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Holds a place for a call of `tenant` in the block."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._queue.enter(place, tenant):
            try:
                await place
            except BaseException:  # cancelled
                if not self._queue.leave(place, tenant):
                    self._release(tenant)
                raise
        try:
            yield
        finally:
            self._release(tenant)

    def _release(self, tenant: str) -> None:
        following = self._queue.release(tenant)
        if following is not None and not following.done():
            following.set_result(None)
