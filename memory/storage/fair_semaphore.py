"""Semaphore that serves waiting threads in order of arrival.

Python's locks wake any waiting thread. SQLite makes a waiting writer retry after growing pauses, so that the last to
arrive is usually served first.
"""

import os
from collections import deque
from threading import Lock

NO_TIMEOUT = -1.0  # timeout


class FairSemaphore:
    """Semaphore for the threads of a process, first come, first served. Up to `number` threads may hold it at once.

    `with semaphore:` waits without a timeout.
    """

    def __init__(self, number: int = 1) -> None:
        self._number = number
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changing = Lock()
        self._free = self._number
        self._waiting: deque[Lock] = deque()

    @property
    def waiting(self) -> int:
        """Number of waiting threads."""
        return len(self._waiting)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, timeout_s: float = NO_TIMEOUT) -> bool:
        """Acquires the semaphore. Returns False if that takes longer than `timeout_s` seconds."""
        if os.getpid() != self._process:  # in a forked process, a thread that does not exist there may hold it
            self._begin()
        ticket = Lock()
        ticket.acquire()
        with self._changing:
            if self._free:
                self._free -= 1
                return True
            self._waiting.append(ticket)
        try:
            came = ticket.acquire(timeout=timeout_s)
        except BaseException:  # interrupted
            self._leave(ticket)
            raise
        if not came:
            self._leave(ticket)
        return came

    def release(self) -> None:
        """Releases the semaphore and hands it to the thread that has waited longest."""
        with self._changing:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _leave(self, ticket: Lock) -> None:
        """Leaves the queue, or releases the semaphore if it was handed over meanwhile."""
        with self._changing:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return
        self.release()
