"""Turns: a lock that is given to those who wait for it in the order in which they came.

Python's locks are given to any of them. SQLite lets a waiting writer try again after a pause that grows, so that
whoever came last mostly writes first.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

FOREVER = -1.0  # of a time limit


class Turns:
    """A lock for the threads of a process, first come, first served, which `number` of them may hold at once."""

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
        """How many threads wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for the turn of the calling thread, which lasts as long as the block."""
        self.take(FOREVER)
        try:
            yield
        finally:
            self.pass_on()

    def take(self, timeout_s: float) -> bool:
        """Waits for the turn of the calling thread, which then has to call `pass_on`; False if it came too late."""
        if os.getpid() != self._process:  # a thread that does not exist in a forked process may have the turn
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

    def pass_on(self) -> None:
        """Ends the turn, which goes to the thread that has waited longest."""
        with self._changing:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _leave(self, ticket: Lock) -> None:
        """Gives up waiting; a turn that has come meanwhile is passed on."""
        with self._changing:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return
        self.pass_on()
