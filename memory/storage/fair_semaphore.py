"""A semaphore that is given to those who wait for it in the order in which they came.

Python's locks are given to any of them. SQLite lets a waiting writer try again after a pause that grows, so that
whoever came last mostly writes first.
"""

import os
from collections import deque
from threading import Lock

FOREVER = -1.0  # of a time limit


class FairSemaphore:
    """A semaphore for the threads of a process, first come, first served, which `number` of them may hold at once.

    `with semaphore:` waits for as long as it takes.
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
        """How many threads wait."""
        return len(self._waiting)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, timeout_s: float = FOREVER) -> bool:
        """Acquires the semaphore for the calling thread; False if that took longer than `timeout_s`."""
        if os.getpid() != self._process:  # a thread that does not exist in a forked process may hold it
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
        """Releases the semaphore, which goes to the thread that has waited longest."""
        with self._changing:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _leave(self, ticket: Lock) -> None:
        """Gives up waiting; what was given meanwhile is released."""
        with self._changing:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return
        self.release()
