"""When a request is sent again.

Not by a library: whether, and after which pause, depends on what the server said, on a deadline that all attempts of a
page share, and on how often it has refused.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from foxing.encoder.errors import ReadFailed
from foxing.renderer.clock import utc_now

from .options import ServerOptions

FIRST_PAUSE_S = 0.5  # doubles with every retry
MAX_PAUSE_S = 30.0
MAX_RETRY_AFTER_S = 120.0  # the page fails if the server asks for more
MIN_ATTEMPT_S = 1.0  # no retry starts with less time than this left

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Sources of time and randomness; tests replace them."""

    #: Pauses for some seconds.
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    #: Raises `TimeoutError` in its block after some seconds.
    timeout: Callable[[float], AbstractAsyncContextManager[object]] = asyncio.timeout
    #: A random number in [0, 1).
    jitter: Callable[[], float] = random.random
    #: Monotonic time in seconds.
    clock: Callable[[], float] = time.monotonic
    #: The current time, timezone-aware.
    now: Callable[[], datetime] = utc_now


class AttemptFailed(Exception):
    """An attempt failed. `retry`: whether another may succeed; `retry_once`: at most one more; `retry_after_s`: the
    pause that the server asks for; `no_response`: whether the server was unresponsive; `billed`: tokens of the prompt
    and of the answer that the server counted all the same."""

    def __init__(
        self,
        message: str,
        *,
        retry: bool = False,
        retry_once: bool = False,
        retry_after_s: float | None = None,
        no_response: bool = False,
        billed: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(message)
        self.retry = retry and (retry_after_s or 0) <= MAX_RETRY_AFTER_S
        self.retry_once = retry_once
        self.retry_after_s = retry_after_s
        self.no_response = no_response
        self.billed = billed


async def with_retries(attempt: Callable[[float], Awaitable[T]], options: ServerOptions, timing: Timing) -> T:
    """What `attempt` returns, called again while that makes sense. It is given the time, by the clock of `timing`, when
    the time of the page ends. Raises `ReadFailed`, which says how often it was tried."""
    deadline = timing.clock() + options.page_timeout_s
    retries, retried_once = 0, False
    while True:
        try:
            return await attempt(deadline)
        except AttemptFailed as failure:
            pause_s = _pause_s(failure, retries, timing)
            again = failure.retry and not (failure.retry_once and retried_once)
            late = again and timing.clock() + pause_s > deadline - MIN_ATTEMPT_S
            if not again or late or retries == options.retries:
                raise ReadFailed(f"{failure}{_note(retries, options, late=late)}") from failure
            retried_once |= failure.retry_once
            retries += 1
            _log.info("%s; attempt %d begins in %.1f s", failure, retries + 1, pause_s)
        await timing.sleep(pause_s)


def _pause_s(failure: AttemptFailed, retries: int, timing: Timing) -> float:
    """Seconds before the next attempt: what the server asks for, but at least half of what doubles."""
    longest = min(FIRST_PAUSE_S * 2.0**retries, MAX_PAUSE_S)
    if failure.retry_after_s is not None:
        return max(failure.retry_after_s, longest / 2)
    return longest * (0.5 + timing.jitter() / 2)


def _note(retries: int, options: ServerOptions, *, late: bool) -> str:
    """How often the request was tried, for the end of an error message."""
    if not retries and not late:
        return ""
    tries = f"tried {retries + 1} times" if retries else "tried once"
    if late and retries < options.retries:
        tries += f"; a page has {options.page_timeout_s:g} s, the option 'page_timeout_s'"
    return f" ({tries})"
