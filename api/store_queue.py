"""Batching of concurrent requests that store messages."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context

import anyio
import anyio.to_thread

from foxing.memory import Memory, NewMessage, StoreResult
from foxing.memory.ingest.calls import StoreCall

GATHER_S = 0.005  # maximum time that a call waits for others
QUIET_S = 0.05  # without a call, after which nobody stores
GATHERED = 64  # maximum number of calls in a batch
GATHERED_CHARS = 20_000  # maximum size of a call that is batched
GATHERED_MESSAGES = 32


class StoreQueue:
    """Batches small store calls while an earlier batch is stored, because a thread switch per call takes as long as
    storing its message. The memory's `GroupCommit` batches transactions; before that, the memory validates, indexes and
    embeds each call."""

    def __init__(self, memory: Memory, limiter: anyio.CapacityLimiter) -> None:
        self._memory = memory
        self._limiter = limiter
        self._waiting: list[tuple[StoreCall, asyncio.Future[StoreResult]]] = []
        self._running: asyncio.Task[None] | None = None
        #: Number of calls in the last batch. Most of their callers call again after the response.
        self._last = 0
        self._enough: asyncio.Event | None = None
        #: Time of the last call, by the clock of the event loop.
        self._called_at = 0.0

    async def store(
        self, bank: str, messages: Sequence[NewMessage], thread: str | None, idempotency_key: str | None
    ) -> StoreResult:
        """Stores messages and returns the result of `Memory.store`. Raises its errors."""
        call = StoreCall(bank, messages, thread, idempotency_key)
        self._called_at = asyncio.get_running_loop().time()
        large = len(messages) > GATHERED_MESSAGES or sum(len(m.text) for m in messages) > GATHERED_CHARS
        large = large or any(message.images for message in messages)
        if large:  # others would wait for it
            [answer] = await self._store([call])
            if isinstance(answer, BaseException):
                raise answer
            return answer
        answered: asyncio.Future[StoreResult] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, answered))
        if self._enough is not None and len(self._waiting) >= self._last:
            self._enough.set()
        if self._running is None or self._running.done():
            # An empty context: otherwise the spans of later requests would be children of the first request's span.
            self._running = asyncio.get_running_loop().create_task(self._run(), context=Context())
        return await answered

    async def wait_until_quiet(self, limit_s: float) -> None:
        """Waits until nobody has stored for `QUIET_S`, for at most `limit_s` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit_s
        while (now := loop.time()) < min(end, self._called_at + QUIET_S):
            await asyncio.sleep(min(end, self._called_at + QUIET_S) - now)

    async def _run(self) -> None:
        while self._waiting:
            await self._gather()
            gathered = self._waiting[:GATHERED]
            self._waiting = self._waiting[GATHERED:]
            try:
                answers = await self._store([call for call, _ in gathered])
            except Exception as error:
                answers = [error] * len(gathered)
            except BaseException:  # the event loop is closing
                for _, answered in gathered:
                    answered.cancel()
                raise
            for (_, answered), answer in zip(gathered, answers, strict=True):
                if answered.done():  # its request was cancelled
                    continue
                if isinstance(answer, BaseException):
                    answered.set_exception(answer)
                else:
                    answered.set_result(answer)

    async def _gather(self) -> None:
        """Waits up to `GATHER_S` for as many calls as the last batch had: a transaction for one call takes nearly as
        long as one for all."""
        if len(self._waiting) < self._last:
            self._enough = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._enough.wait()
            self._enough = None
        self._last = min(len(self._waiting), GATHERED)

    async def _store(self, calls: Sequence[StoreCall]) -> list[StoreResult | BaseException]:
        return await anyio.to_thread.run_sync(self._memory.operations.store_each, calls, limiter=self._limiter)
