"""Circuit breaker for an unresponsive server.

Not one of a library, as those count calls that raise. Here a call is a page, which takes several attempts, and only
attempts without any response count.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

OPEN_S = 15.0


class CircuitOpen(Exception):
    """The server is unresponsive; the page is rejected without a request."""


class CircuitBreaker:
    """Opens after `threshold` attempts in a row without a response, and then rejects pages for `OPEN_S` seconds. After
    that one page at a time probes whether the server is back. For one event loop. `clock` returns seconds."""

    def __init__(self, threshold: int, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._clock = clock
        self._unanswered = 0
        self._open_until = 0.0
        self._probing = False

    @contextmanager
    def page(self) -> Iterator[None]:
        """Wraps the request for one page. Raises `CircuitOpen`."""
        probe = self._unanswered >= self._threshold
        if probe and (self._probing or self._clock() < self._open_until):
            raise CircuitOpen
        self._probing |= probe
        try:
            yield
        finally:
            if probe:
                self._probing = False

    def record_response(self) -> None:
        """The server responded, with whatever status."""
        self._unanswered = 0

    def record_timeout(self) -> None:
        """The server did not respond in time."""
        self._unanswered += 1
        self._open_until = self._clock() + OPEN_S
