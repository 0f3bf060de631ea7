"""When a request is sent again. stamina runs the attempts and doubles the pauses between them."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

import stamina
import structlog
from stamina.instrumentation import StructlogOnRetryHook, get_on_retry_hooks, set_on_retry_hooks

from foxing.encoder.errors import ReadFailed

from .options import ServerOptions
from .session import Session

FIRST_PAUSE_S = 0.5  # doubles with every retry
MAX_PAUSE_S = 30.0
MAX_RETRY_AFTER_S = 120.0  # the page fails if the server asks for more
MIN_ATTEMPT_S = 1.0  # no retry starts with less time than this left

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Sources of time and randomness; tests replace them."""

    #: Pauses for some seconds. None waits for real, and stops waiting when the endpoint is closed.
    sleep: Callable[[float], None] | None = None
    #: A random number in [0, 1).
    chance: Callable[[], float] = random.random
    #: Monotonic time in seconds.
    clock: Callable[[], float] = time.monotonic
    #: The current time, timezone-aware.
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


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
        self.retry = retry
        self.retry_once = retry_once
        self.retry_after_s = retry_after_s
        self.no_response = no_response
        self.billed = billed


class PageAttempts:
    """The attempts for one page. All together have `page_timeout_s`, from now on."""

    def __init__(self, options: ServerOptions, timing: Timing, session: Session) -> None:
        self._options = options
        self._pause = timing.sleep or session.pause
        self._timing = timing
        #: When the time of the page ends, by the clock of `timing`.
        self.deadline = timing.clock() + options.page_timeout_s
        self._attempt: stamina.Attempt
        self._retried_once = False
        self._late = False

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns, called again while that makes sense. Raises `ReadFailed`, which says how often it was
        tried, and `SessionClosed`."""
        _keep_stdout_clean()
        attempts = stamina.retry_context(
            self._waits,
            attempts=self._options.retries + 1,
            timeout=None,  # a retry that would start after the deadline is not waited for
            wait_initial=FIRST_PAUSE_S,
            wait_max=MAX_PAUSE_S,
            wait_jitter=0,
        )
        try:
            for self._attempt in attempts:
                with self._attempt:
                    return call()
        except AttemptFailed as failure:
            raise ReadFailed(f"{failure}{self._note()}") from failure
        raise AssertionError("the last attempt returns or raises")

    def _waits(self, error: BaseException) -> float | bool:
        """Waits for the next attempt here, where closing ends the pause, and leaves stamina nothing to wait for; False
        if there is no next attempt."""
        if not isinstance(error, AttemptFailed) or not error.retry or (error.retry_once and self._retried_once):
            return False
        self._retried_once |= error.retry_once
        pause_s = self._attempt.next_wait
        if error.retry_after_s is None:
            pause_s *= 0.5 + self._timing.chance() / 2
        elif error.retry_after_s > MAX_RETRY_AFTER_S:
            return False
        else:
            pause_s = max(error.retry_after_s, pause_s / 2)
        self._late = self._timing.clock() + pause_s > self.deadline - MIN_ATTEMPT_S
        if self._late or self._attempt.num > self._options.retries:
            return False
        _log.info("%s; attempt %d begins in %.1f s", error, self._attempt.num + 1, pause_s)
        self._pause(pause_s)
        return 0.0

    def _note(self) -> str:
        """How often the request was tried, for the end of an error message."""
        retries = self._attempt.num - 1
        if not retries and not self._late:
            return ""
        tries = f"tried {retries + 1} times" if retries else "tried once"
        if self._late and retries < self._options.retries:
            tries += f"; a page has {self._options.page_timeout_s:g} s, the option 'page_timeout_s'"
        return f" ({tries})"


@cache
def _keep_stdout_clean() -> None:
    """Removes structlog from stamina's hooks, unless the program has configured it. stamina uses it wherever it is
    installed, as it is with Foxing, and unconfigured it prints to stdout."""
    printing = StructlogOnRetryHook.hook_factory.__module__
    if not structlog.is_configured():
        set_on_retry_hooks([hook for hook in get_on_retry_hooks() if hook.__module__ != printing])
