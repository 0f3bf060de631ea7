"""Listening socket that several processes share."""

import socket
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Self

#: Seconds for which a process leaves a connection to one with fewer.
DEFERRAL_S = 0.005
#: Count of a process that does not answer requests.
ABSENT = -1


@dataclass
class ConnectionCounts:
    """Numbers of connections of the processes of a service, in memory that they share."""

    #: Array of a count for each process, without a lock, which a killed process would keep.
    counts: Any
    #: Index of this process.
    index: int
    #: Connections of this process.
    connections: Collection[object] = field(default_factory=tuple)

    def has_most(self) -> bool:
        """Updates the count of this process. Returns True if another process has fewer connections."""
        own = len(self.connections)
        self.counts[self.index] = own
        return any(ABSENT < count < own for count in self.counts)


class SharedListener(socket.socket):
    """Listening socket whose connections are shared evenly among processes.

    asyncio accepts all waiting connections at once, so the process that wakes first would get them all. This socket
    reports that none is waiting after each one, and for `DEFERRAL_S` if another process has fewer connections.
    """

    _counts: ConnectionCounts
    _has_accepted = False
    #: Time at which it began to leave the next connection to another process.
    _deferred_at: float | None = None

    @classmethod
    def of(cls, listener: socket.socket, counts: ConnectionCounts) -> Self:
        """Returns the shared form of a listening socket, which is detached."""
        shared = cls(listener.family, listener.type, listener.proto, listener.detach())
        shared._counts = counts
        return shared

    def accept(self) -> tuple[socket.socket, Any]:
        """Returns a connection and its address. Raises `BlockingIOError` if none is waiting for this process."""
        if self._has_accepted:
            self._has_accepted = False
            raise BlockingIOError
        if self._counts.has_most():
            now = time.monotonic()
            if self._deferred_at is None or now - self._deferred_at > 2 * DEFERRAL_S:  # an earlier one was taken
                self._deferred_at = now
            if now - self._deferred_at < DEFERRAL_S:
                raise BlockingIOError
        self._deferred_at = None
        accepted = super().accept()
        self._has_accepted = True
        return accepted
