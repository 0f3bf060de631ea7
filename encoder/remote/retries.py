"""Retries of failed requests.

Retry libraries do not fit: whether and when to retry depends on the server's response, on a deadline shared by all
attempts of a page, and on the number of refusals.
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
MAX_RETRY_AFTER_S = 120.0  # the page fails if the server asks for a longer pause
MIN_ATTEMPT_S = 1.0  # minimum time left before the deadline for a retry to start

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Sources of time and randomness, which tests replace."""

    #: Waits for a number of seconds.
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    #: Context manager that raises `TimeoutError` in its block after a number of seconds.
    timeout: Callable[[float], AbstractAsyncContextManager[object]] = asyncio.timeout
    #: Returns a random number in [0, 1).
    jitter: Callable[[], float] = random.random
    #: Returns monotonic time in seconds.
    clock: Callable[[], float] = time.monotonic
    #: Returns the current time, timezone-aware.
    now: Callable[[], datetime] = utc_now


class AttemptFailed(Exception):
    """An attempt failed. `retry`: whether another attempt may succeed; `retry_once`: whether to retry at most once;
    `retry_after_s`: pause that the server asks for; `no_response`: whether the server was unresponsive; `billed`:
    prompt and completion tokens that the server counted nevertheless."""

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
    """Calls `attempt` until it succeeds or a retry is not useful, and returns its result. `attempt` takes the deadline
    of the page by the clock of `timing`. Raises `ReadFailed`, which states the number of attempts."""
    deadline = timing.clock() + options.page_timeout_s
    retries = 0
    retried_once = False
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
            _log.info("%s; attempt %d starts in %.1f s", failure, retries + 1, pause_s)
        await timing.sleep(pause_s)


def _pause_s(failure: AttemptFailed, retries: int, timing: Timing) -> float:
    """Returns the pause before the next attempt in seconds: the one that the server asks for, but at least half of the
    exponential backoff, or the backoff with jitter."""
    longest = min(FIRST_PAUSE_S * 2.0**retries, MAX_PAUSE_S)
    if failure.retry_after_s is not None:
        return max(failure.retry_after_s, longest / 2)
    return longest * (0.5 + timing.jitter() / 2)


def _note(retries: int, options: ServerOptions, *, late: bool) -> str:
    """Returns the number of attempts in words, for the end of an error message."""
    if not retries and not late:
        return ""
    tries = f"tried {retries + 1} times" if retries else "tried once"
    if late and retries < options.retries:
        tries += f"; the timeout of a page is {options.page_timeout_s:g} s, the option 'page_timeout_s'"
    return f" ({tries})"
