"""Leaving a server in peace that does not answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

SHUT_S = 15.0


class Shut(Exception):
    """The server is not asked now."""


class Breaker:
    """Counts the tries in a row that reached nobody. After `most` of them further pages fail at once for `SHUT_S`; then
    one at a time tries whether the server is back. `seconds`: a clock."""

    def __init__(self, most: int, seconds: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._missed = 0
        self._until = 0.0
        self._probing = False
        self._lock = Lock()

    @contextmanager
    def page(self) -> Iterator[None]:
        """Around asking for a page. Raises `Shut`."""
        with self._lock:
            probe = self._missed >= self._most
            if probe and (self._probing or self._seconds() < self._until):
                raise Shut
            self._probing |= probe
        try:
            yield
        finally:
            if probe:
                with self._lock:
                    self._probing = False

    def reached(self) -> None:
        """Somebody answered, whatever it was."""
        with self._lock:
            self._missed = 0

    def missed(self) -> None:
        """Nobody answered, or not in time."""
        with self._lock:
            self._missed += 1
            self._until = self._seconds() + SHUT_S
