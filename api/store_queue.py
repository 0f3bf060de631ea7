"""Storing the messages of requests that come at once together."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context

import anyio
import anyio.to_thread

from foxing.memory import Memory
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.values.messages import NewMessage, StoreResult

GATHER_S = 0.005  # that calls wait for others to be stored with
GATHERED = 64  # calls that are stored together
GATHERED_CHARS, GATHERED_MESSAGES = 20_000, 32  # at most, of a call that is stored with others


class StoreQueue:
    """Calls that store a few messages gather while others are stored, and are handed to the memory together: a change
    of threads for each takes as long as storing its message. The memory's own batches (`GroupCommit`) begin where
    threads are: between the two, each call is validated, indexed and embedded."""

    def __init__(self, memory: Memory, limiter: anyio.CapacityLimiter) -> None:
        self._memory = memory
        self._limiter = limiter
        self._waiting: list[tuple[StoreCall, asyncio.Future[StoreResult]]] = []
        self._running: asyncio.Task[None] | None = None
        #: Calls of the last group. Their callers mostly call again once they are answered.
        self._last = 0
        self._enough: asyncio.Event | None = None

    async def store(
        self, bank: str, messages: Sequence[NewMessage], thread: str | None, idempotency_key: str | None
    ) -> StoreResult:
        """The result of `Memory.store`. Raises what that raises."""
        call = StoreCall(bank, messages, thread, idempotency_key)
        large = len(messages) > GATHERED_MESSAGES or sum(len(m.text) for m in messages) > GATHERED_CHARS
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
            # in no request's context: the first would be the parent of what all later ones are traced as
            self._running = asyncio.get_running_loop().create_task(self._run(), context=Context())
        return await answered

    async def _run(self) -> None:
        while self._waiting:
            await self._gather()
            gathered, self._waiting = self._waiting[:GATHERED], self._waiting[GATHERED:]
            try:
                answers = await self._store([call for call, _ in gathered])
            except Exception as error:
                answers = [error] * len(gathered)
            except BaseException:  # the event loop ends
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
        """Waits for as many calls as were stored together last, but not for long: a transaction for one takes nearly as
        long as for all."""
        if len(self._waiting) < self._last:
            self._enough = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._enough.wait()
            self._enough = None
        self._last = min(len(self._waiting), GATHERED)

    async def _store(self, calls: Sequence[StoreCall]) -> list[StoreResult | BaseException]:
        return await anyio.to_thread.run_sync(self._memory.store_each, calls, limiter=self._limiter)
