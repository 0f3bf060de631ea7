"""Semaphore that serves waiting threads in order of arrival.

Python's locks wake any waiting thread. SQLite makes a waiting writer retry after growing pauses, so that the last to
arrive is usually served first.
"""

import os
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

NO_TIMEOUT = -1.0  # timeout


class FairSemaphore:
    """Semaphore for the threads of a process, first come, first served. Up to `number` threads may hold it at once.

    Callers that give their name take turns: each waits for one thread of each other caller at most, however many of
    them wait. `share`: number of threads of one caller that may hold it at once; None for all.

    `with semaphore:` waits without a timeout.
    """

    def __init__(self, number: int = 1, share: int | None = None) -> None:
        self._number = number
        self._each = number if share is None else share
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changing = Lock()
        self._free = self._number
        self._held = Counter[str]()
        #: Caller → its waiting threads, in order of arrival. The caller served longest ago is first.
        self._waiting: dict[str, deque[Lock]] = {}

    @property
    def waiting(self) -> int:
        """Number of waiting threads."""
        with self._changing:
            return sum(map(len, self._waiting.values()))

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    @contextmanager
    def turn(self, caller: str) -> Iterator[None]:
        """Holds the semaphore for `caller` in the block."""
        self.acquire(caller=caller)
        try:
            yield
        finally:
            self.release(caller)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Releases the semaphore, which the caller holds, for the block."""
        self.release()
        try:
            yield
        finally:
            self.acquire()

    def acquire(self, timeout_s: float = NO_TIMEOUT, caller: str = "") -> bool:
        """Acquires the semaphore. Returns False if that takes longer than `timeout_s` seconds."""
        if os.getpid() != self._process:  # in a forked process, a thread that does not exist there may hold it
            self._begin()
        ticket = Lock()
        ticket.acquire()
        with self._changing:
            if self._free and self._held[caller] < self._each:
                self._free -= 1
                self._held[caller] += 1
                return True
            self._waiting.setdefault(caller, deque()).append(ticket)
        try:
            is_in_time = ticket.acquire(timeout=timeout_s)
        except BaseException:  # interrupted
            self._leave(ticket, caller)
            raise
        if not is_in_time:
            self._leave(ticket, caller)
        return is_in_time

    def release(self, caller: str = "") -> None:
        """Releases the semaphore and hands it to the next caller: its thread that has waited longest."""
        with self._changing:
            self._free += 1
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
            following = next((name for name in self._waiting if self._held[name] < self._each), None)
            if following is not None:
                self._free -= 1
                self._held[following] += 1
                tickets = self._waiting.pop(following)
                tickets.popleft().release()
                if tickets:
                    self._waiting[following] = tickets

    def _leave(self, ticket: Lock, caller: str) -> None:
        """Leaves the queue, or releases the semaphore if it was handed over meanwhile."""
        with self._changing:
            tickets = self._waiting.get(caller, ())
            if ticket in tickets:
                self._waiting[caller].remove(ticket)
                if not tickets:
                    del self._waiting[caller]
                return
        self.release(caller)
