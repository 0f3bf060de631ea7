"""Circuit breaker for an unresponsive server.

Circuit breaker libraries count calls that raise. Here a call is a page, which may take several attempts, and only
attempts without any response count as failures.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

OPEN_S = 15.0  # time for which the circuit stays open


class CircuitOpen(Exception):
    """The server is unresponsive, so the page was rejected without a request."""


class CircuitBreaker:
    """Circuit breaker that opens after `threshold` consecutive attempts without a response, and then rejects pages for
    `OPEN_S` seconds. After that, one page at a time probes the server. For use in one event loop. `clock`: monotonic
    time in seconds."""

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
        """Records a response with any status, which closes the circuit."""
        self._unanswered = 0

    def record_timeout(self) -> None:
        """Records an attempt without a response in time."""
        self._unanswered += 1
        self._open_until = self._clock() + OPEN_S
