"""Semaphore that serves waiting threads in order of arrival.

Python's locks wake any waiting thread. SQLite makes a waiting writer retry after growing pauses, so that the last to
arrive is usually served first.
"""

import os
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

NO_TIMEOUT = -1.0  # timeout


T = TypeVar("T")  # what wakes a waiting caller


class FairQueue(Generic[T]):
    """Places that callers hold, and the line of those who wait for one. Callers take turns, see `FairSemaphore`. Not
    safe for threads."""

    def __init__(self, number: int, share: int) -> None:
        self._free = number
        self._each = share
        self._held = Counter[str]()
        #: Caller → what it waits with, in order of arrival. The caller served longest ago is first.
        self._waiting: dict[str, deque[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def enter(self, ticket: T, caller: str) -> bool:
        """Takes a place and returns True, or waits for one with `ticket`."""
        if self._free and self._held[caller] < self._each:
            self._free -= 1
            self._held[caller] += 1
            return True
        self._waiting.setdefault(caller, deque()).append(ticket)
        return False

    def release(self, caller: str) -> T | None:
        """Releases a place and hands it to the next caller. Returns its ticket; None if nobody waits."""
        self._free += 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        following = next((name for name in self._waiting if self._held[name] < self._each), None)
        if following is None:
            return None
        self._free -= 1
        self._held[following] += 1
        tickets = self._waiting.pop(following)
        ticket = tickets.popleft()
        if tickets:
            self._waiting[following] = tickets
        return ticket

    def leave(self, ticket: T, caller: str) -> bool:
        """Leaves the line. Returns False if a place was handed over meanwhile."""
        tickets = self._waiting.get(caller, ())
        if ticket not in tickets:
            return False
        self._waiting[caller].remove(ticket)
        if not tickets:
            del self._waiting[caller]
        return True


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
        self._queue = FairQueue[Lock](self._number, self._each)

    @property
    def waiting(self) -> int:
        """Number of waiting threads."""
        with self._changing:
            return len(self._queue)

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
    def pause(self, caller: str = "") -> Iterator[None]:
        """Releases the semaphore, which `caller` holds, for the block."""
        self.release(caller)
        try:
            yield
        finally:
            self.acquire(caller=caller)

    def acquire(self, timeout_s: float = NO_TIMEOUT, caller: str = "") -> bool:
        """Acquires the semaphore. Returns False if that takes longer than `timeout_s` seconds."""
        if os.getpid() != self._process:  # in a forked process, a thread that does not exist there may hold it
            self._begin()
        ticket = Lock()
        ticket.acquire()
        with self._changing:
            if self._queue.enter(ticket, caller):
                return True
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
            following = self._queue.release(caller)
        if following is not None:
            following.release()

    def _leave(self, ticket: Lock, caller: str) -> None:
        """Leaves the queue, or releases the semaphore if it was handed over meanwhile."""
        with self._changing:
            if self._queue.leave(ticket, caller):
                return
        self.release(caller)
