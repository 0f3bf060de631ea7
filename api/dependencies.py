"""Dependencies and parameters that the endpoints share."""

from collections.abc import Callable
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
    """The memory behind the HTTP API, and the threads that call it.

    The memory is synchronous, so each call runs in a thread. Calls with codec work may take seconds, others take
    milliseconds; separate thread limits ensure that recalls waiting for the codec never delay storing.
    """

    def __init__(self, memory: Memory, settings: Settings, metrics: Metrics) -> None:
        self.memory = memory
        self.settings = settings
        self.metrics = metrics
        self._limiter = anyio.CapacityLimiter(settings.threads)
        self._codec_limiter = anyio.CapacityLimiter(settings.codec_threads)

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call that does no codec work."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)

    async def run_codec(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call that may encode or decode."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._codec_limiter)

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

BankPath = Annotated[str, Path(description="Name of the bank.", examples=["agent-7"])]
PagePath = Annotated[str, Path(description="Id of the page.")]
CursorQuery = Annotated[str | None, Query(description="The `next_cursor` of the previous response.")]
LimitQuery = Annotated[int, Query(ge=1, le=500, description="Maximum number of entries.")]
