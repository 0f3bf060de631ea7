"""Dependencies and parameters that the endpoints share."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from math import inf
from threading import Event
from time import monotonic
from typing import Annotated, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Header, Path, Query, Request

from foxing.memory import Memory
from foxing.memory.errors import Closed, TimeTravelForbidden
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.models import NewMessage, StoreResult
from foxing.memory.recall.cursors import MAX_CURSOR_CHARS
from foxing.renderer import FoxingError

from .metrics import Metrics
from .schemas import CURSOR
from .settings import Settings

EMBEDDING_PAUSE_S = 0.05  # in which messages gather, to be embedded and written together
GATHER_S = 0.005  # that calls wait for others to be stored with
GATHERED = 64  # calls that are stored together
GATHERED_CHARS, GATHERED_MESSAGES = 20_000, 32  # at most, of a call that is stored with others
READY_FOR_S = 1.0  # how long the answer of a readiness check holds

P = ParamSpec("P")
R = TypeVar("R")


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


class StoreQueue:
    """Calls that store a few messages gather while others are stored, and are handed to the memory together: a change
    of threads for each takes as long as storing its message."""

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


class Service:
    """The memory behind the HTTP API, and the threads that call it.

    The memory is synchronous, so each call runs in a thread. Calls with codec work may take seconds, others take
    milliseconds; separate thread limits ensure that recalls waiting for the codec never delay storing.
    """

    def __init__(self, memory: Memory, settings: Settings, metrics: Metrics) -> None:
        self.memory = memory
        self.settings = settings
        self.metrics = metrics
        #: Set when the service begins to stop.
        self.stopping = Event()
        self._limiter = anyio.CapacityLimiter(settings.threads)
        self._codec_limiter = anyio.CapacityLimiter(settings.codec_threads)
        #: Stores messages.
        self.stores = StoreQueue(memory, self._limiter)
        #: banks with messages that are to be embedded
        self._unembedded: set[str] = set()
        self._embedding: asyncio.Task[None] | None = None
        self._readiness = Readiness(memory)

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call that does no codec work."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)

    async def run_codec(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call that may encode or decode."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._codec_limiter)

    def embed_soon(self, bank: str) -> None:
        """Embeds the new messages of a bank after the answer, so that storing does not wait for it."""
        self._unembedded.add(bank)
        if self._embedding is None or self._embedding.done():
            self._embedding = asyncio.get_running_loop().create_task(self._embed())

    async def _embed(self) -> None:
        """What fails here is done by the clock."""
        while self._unembedded:
            await asyncio.sleep(EMBEDDING_PAUSE_S)
            if not self._unembedded:  # the service is being stopped
                return
            bank = self._unembedded.pop()
            with suppress(FoxingError):
                embedded = 1
                while embedded and not self.stopping.is_set():
                    embedded = await self.run_codec(self.memory.embed_new, bank)

    async def close(self) -> None:
        """Waits for the messages that are being embedded; the clock embeds the others."""
        self._unembedded.clear()
        if self._embedding is not None:
            await asyncio.wait([self._embedding])

    def go_on(self, done: int, total: int) -> None:
        """Progress of a long call: raises `Closed` once the service is stopping."""
        if self.stopping.is_set():
            raise Closed("the service is stopping; what was done is kept, send the request again for the rest")

    async def check_ready(self) -> None:
        """Raises what makes the service unable to serve, if anything does."""
        await self._readiness.check()

    def check_now(self, now: str | None) -> None:
        """Raises `TimeTravelForbidden` if a request sets the time and the settings do not allow it."""
        if now is not None and not self.settings.time_travel:
            raise TimeTravelForbidden(
                "this service does not accept 'now': omit it, or set FOXING_TIME_TRAVEL=true (a dry run of ageing "
                "always accepts it)"
            )


async def get_service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(get_service)]

#: What `memory.ingest.validate.check_bank_name` takes; for a name that it does not take there is no bank.
BANK_NAME = {"pattern": r"^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,200}$"}

BankPath = Annotated[str, Path(description="Name of the bank.", examples=["agent-7"], json_schema_extra=BANK_NAME)]
PagePath = Annotated[str, Path(description="Id of the page.", json_schema_extra={"pattern": "^[0-9a-f]{32}$"})]
CursorQuery = Annotated[
    str | None,
    Query(description="The `next_cursor` of the previous response.", max_length=MAX_CURSOR_CHARS, pattern=CURSOR),
]
LimitQuery = Annotated[int, Query(ge=1, le=500, description="Maximum number of entries.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Makes retries safe: a repeated request stores nothing and gets the response of the first. The "
        "same key with a different body is a conflict.",
    ),
]
