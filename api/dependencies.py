"""What the endpoints are given."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Path, Query, Request

from foxing.memory import Memory
from foxing.memory.errors import TimeTravelForbidden

from .metrics import Metrics
from .settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class Service:
    """The memory behind the HTTP interface, and the threads that call it.

    The memory is synchronous, so every call leaves the event loop for a thread. Calls with codec work, which may take
    seconds, and the others, which take milliseconds, draw on separate numbers of threads: however many recalls wait
    for the codec, storing goes on.
    """

    def __init__(self, memory: Memory, settings: Settings, metrics: Metrics) -> None:
        self.memory = memory
        self.settings = settings
        self.metrics = metrics
        self._quick = anyio.CapacityLimiter(settings.threads)
        self._codec = anyio.CapacityLimiter(settings.codec_threads)

    async def quick(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a call that does no codec work."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._quick)

    async def codec(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a call that may encode or decode."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._codec)

    def check_now(self, now: datetime | None) -> None:
        """Raises `TimeTravelForbidden` when a request may not say what time it is."""
        if now is not None and not self.settings.time_travel:
            raise TimeTravelForbidden(
                "this service keeps its own time: leave 'now' out, or set FOXING_TIME_TRAVEL=true (a dry run of "
                "ageing takes 'now' in any case)"
            )


async def get_service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(get_service)]

BankPath = Annotated[str, Path(description="The bank.", examples=["agent-7"])]
PagePath = Annotated[str, Path(description="The page's id.")]
CursorQuery = Annotated[str | None, Query(description="The `next_cursor` of the answer before.")]
LimitQuery = Annotated[int, Query(ge=1, le=500, description="The most entries to answer.")]
