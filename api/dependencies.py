"""Dependencies and parameters shared by the endpoints."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from functools import partial
from threading import Event
from typing import Annotated, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Header, Path, Query, Request

from foxing.memory import Access, Closed, Memory, TimeTravelForbidden
from foxing.memory.values.base import CURSOR, MAX_CURSOR_CHARS
from foxing.renderer import FoxingError
from foxing.renderer.interruption import Interrupted, interruptible

from .fair_limiter import FairLimiter
from .imports import Imports
from .jobs import BankJobRunner
from .key_checks import KeyChecks
from .member import Member
from .metrics import Metrics
from .readiness import Readiness
from .settings import Settings
from .store_queue import StoreQueue

EMBEDDING_DELAY_S = 0.05  # collects messages to embed and write in one batch
STOPPING = "the service is stopping; completed work is kept, send the request again to continue"
LIMITS_S = 0.5  # for which a request waits for the limits of its tenant; those that were read last apply then
USAGE_S = 1.0  # between two writes of the requests and recalls counted
STORING_S = 0.3  # for which each batch waits while others store, who would wait for the interpreter

P = ParamSpec("P")
R = TypeVar("R")


class Service:
    """The memory behind the HTTP API, and the threads that call it.

    The memory is synchronous, so each call runs in a thread. Calls with codec work may take seconds, others take
    milliseconds; separate thread limits prevent recalls that wait for the codec from delaying stores.
    """

    def __init__(self, memory: Memory, settings: Settings, metrics: Metrics, member: Member | None = None) -> None:
        """`member`: this process among several that serve one address."""
        self.memory = memory
        self.settings = settings
        self.metrics = metrics
        #: Set when the service begins to drain: it is not ready any more, and answers as before.
        self.draining = Event()
        #: Set when the service begins to stop.
        self.stopping = Event()
        self._turns = FairLimiter(settings.threads)
        self._codec_turns = FairLimiter(settings.codec_threads)
        metrics.load.watch_queue("calls", lambda: self._turns.waiting)
        metrics.load.watch_queue("codec_calls", lambda: self._codec_turns.waiting)
        self._writing: asyncio.Task[None] | None = None
        self._limiter = anyio.CapacityLimiter(settings.threads)
        self._codec_limiter = anyio.CapacityLimiter(settings.codec_threads)
        #: Batches concurrent stores.
        self.store_queue = StoreQueue(memory, self._limiter)
        #: Tenant → reading of its limits.
        self._readings: dict[str, asyncio.Task[None]] = {}
        #: Banks with messages that are not embedded yet.
        self._unembedded: set[str] = set()
        self._embedding: asyncio.Task[None] | None = None
        self._readiness = Readiness(memory)
        #: Checks of API keys.
        self.key_checks = KeyChecks(
            memory, always=settings.tokens is not None, stamp=None if member is None else member.keys_stamp
        )
        #: Imports of uploaded files.
        self.imports = Imports(memory, settings.max_import_bytes)
        #: Jobs of banks, which calls that may take long are.
        self.jobs = BankJobRunner(memory, metrics, self.run, self.run_codec, self.stopping)

    def apply(self, settings: Settings) -> None:
        """Uses other settings from now on, as far as they are read on use."""
        self.settings = settings
        self.key_checks.always = settings.tokens is not None
        self.key_checks.expire()

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of a call without codec work. Raises the errors of the call."""
        async with self._turns.turn(Access.current().tenant or ""):
            return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)

    async def run_codec(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of a call that may encode or decode pages. Raises the errors of the call."""
        async with self._codec_turns.turn(Access.current().tenant or ""):
            return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._codec_limiter)

    async def run_long(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of a call that encodes pages. Raises `Closed` if the service stops meanwhile."""

        def run() -> R:
            with interruptible(self.stopping.is_set):
                try:
                    return call(*args, **kwargs)
                except Interrupted:
                    raise Closed(STOPPING) from None

        return await self.run_codec(run)

    async def recall(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of a recall, which counts as such. Raises the errors of the call, and `LimitReached`."""
        with self.memory.operations.limits.recall():
            return await self.run_codec(call, *args, **kwargs)

    async def admit(self, access: Access) -> None:
        """Counts a request. Raises `LimitReached` if the limits of its tenant allow no more now."""
        limits = self.memory.operations.limits
        if not limits.is_current(access):
            tenant = access.tenant or ""
            reading = self._readings.get(tenant)
            if reading is None:
                reading = asyncio.get_running_loop().create_task(self._read_limits(access), context=Context())
                self._readings[tenant] = reading
            await asyncio.wait([reading], timeout=LIMITS_S if limits.is_known(access) else None)
            if not limits.is_known(access):
                reading.result()
        limits.admit(access)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_usage(), context=Context())

    async def _read_limits(self, access: Access) -> None:
        """Reads the limits of a caller's tenant, for all of its requests that wait for them."""
        try:
            await anyio.to_thread.run_sync(self.memory.operations.limits.refresh, access)
        finally:
            del self._readings[access.tenant or ""]

    async def _write_usage(self) -> None:
        """Writes the usage of `USAGE_S`; what cannot be written is written with later usage."""
        await asyncio.sleep(USAGE_S)
        with suppress(FoxingError):
            await anyio.to_thread.run_sync(self.memory.operations.limits.write)

    def embed_soon(self, bank: str) -> None:
        """Schedules embedding of the new messages of a bank, so that storing does not wait for it."""
        self._unembedded.add(bank)
        if self._embedding is None or self._embedding.done():
            # in an empty context: it embeds for the callers of later requests too
            self._embedding = asyncio.get_running_loop().create_task(self._embed(), context=Context())

    async def _embed(self) -> None:
        """Embeds the new messages of all banks; the scheduler retries what fails here."""
        while self._unembedded:
            await asyncio.sleep(EMBEDDING_DELAY_S)
            if not self._unembedded:  # the service is stopping
                return
            bank = self._unembedded.pop()
            with suppress(FoxingError):
                embedded = 1
                while embedded and not self.stopping.is_set():
                    await self.store_queue.wait_until_quiet(STORING_S)
                    embedded = await self.run_codec(self.memory.operations.embed_new, bank)

    async def close(self) -> None:
        """Waits for what is being imported, embedded or done for a job; the scheduler embeds the remaining messages
        later, the rest of a job is done by another process or after a restart, and that of an import when its file is
        sent again."""
        await anyio.to_thread.run_sync(self.imports.stop)
        await self.jobs.close()
        self._unembedded.clear()
        waiting = [*self._readings.values(), *(() if self._embedding is None else (self._embedding,))]
        if waiting:
            await asyncio.wait(waiting)
        await self.key_checks.close()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        with suppress(FoxingError):
            await anyio.to_thread.run_sync(self.memory.operations.limits.write)

    def raise_if_stopping(self, done: int, total: int) -> None:
        """Raises `Closed` if the service is stopping. Passed to long calls as their progress callback."""
        if self.stopping.is_set():
            raise Closed(STOPPING)

    async def check_ready(self) -> None:
        """Raises `FoxingError` if the service cannot be used, or soon cannot."""
        if self.draining.is_set() or self.stopping.is_set():
            raise Closed("the service is stopping; send requests to another")
        await self._readiness.check()

    def check_now(self, now: str | datetime | None) -> None:
        """Raises `TimeTravelForbidden` if a request sets `now` and the settings do not allow it."""
        if now is not None and not self.settings.time_travel:
            raise TimeTravelForbidden(
                "this service does not accept 'now': omit it, or set FOXING_TIME_TRAVEL=true (a dry run of ageing "
                "always accepts it)"
            )


async def get_service(request: Request) -> Service:
    """Returns the `Service` of the application."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(get_service)]

#: The names that `memory.ingest.validate.check_bank_name` accepts.
BANK_NAME = {"pattern": r"^([A-Za-z0-9._:@-]{1,50}~)?(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,200}$"}

BankPath = Annotated[
    str,
    Path(
        description="Name of the bank; that of a tenant's bank may begin with the tenant and `~`.",
        examples=["agent-7"],
        json_schema_extra=BANK_NAME,
    ),
]
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
        description="Makes retries safe: a repeated request stores nothing and returns the response of the first. The "
        "same key with a different body is a conflict (409).",
    ),
]
