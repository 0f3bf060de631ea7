"""Event loops for folds in threads of their own: what a fold computes does not delay what passes."""

import asyncio
import threading
import zlib
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

R = TypeVar("R")

#: Loops, so that the folds of one session do not wait for those of all others.
_LOOPS = 4


class FoldLoops:
    """Loops in threads, which end with `close`. A session always has the same."""

    def __init__(self) -> None:
        self._loops = [_LoopThread() for _ in range(_LOOPS)]

    async def run(self, session: str, work: Coroutine[Any, Any, R]) -> R:
        """Runs a coroutine in the thread of a session. Raises what it raises; one that is cancelled is cancelled
        there."""
        return await asyncio.wrap_future(self.start(session, work))

    def start(self, session: str, work: Coroutine[Any, Any, R]) -> Future[R]:
        """Starts a coroutine in the thread of a session, and returns its future."""
        loop = self._loops[zlib.crc32(session.encode(errors="surrogatepass")) % _LOOPS].loop
        return asyncio.run_coroutine_threadsafe(work, loop)

    def close(self) -> None:
        """Cancels what still runs, and ends the threads."""
        for each in self._loops:
            each.close()


class _LoopThread:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="foxing folds", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.run_until_complete(_cancel_all(self.loop))
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


async def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    running = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
