"""Dependencies and parameters that the endpoints share."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from threading import Event
from typing import Annotated, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Header, Path, Query, Request

from foxing.memory import Memory
from foxing.memory.errors import Closed, TimeTravelForbidden
from foxing.memory.values.base import CURSOR, MAX_CURSOR_CHARS
from foxing.renderer import FoxingError

from .metrics import Metrics
from .readiness import Readiness
from .settings import Settings
from .store_queue import StoreQueue

EMBEDDING_PAUSE_S = 0.05  # in which messages gather, to be embedded and written together

P = ParamSpec("P")
R = TypeVar("R")


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
        self.store_queue = StoreQueue(memory, self._limiter)
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

    def raise_if_stopping(self, done: int, total: int) -> None:
        """Progress of a long call: raises `Closed` once the service is stopping."""
        if self.stopping.is_set():
            raise Closed("the service is stopping; what was done is kept, send the request again for the rest")

    async def check_ready(self) -> None:
        """Raises what makes the service unable to serve, if anything does."""
        await self._readiness.check()

    def check_now(self, now: str | datetime | None) -> None:
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
    Query(description="The `next_cursor` of the previous answer.", max_length=MAX_CURSOR_CHARS, pattern=CURSOR),
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
