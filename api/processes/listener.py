"""Listening socket that several processes share."""

import socket
from typing import Any, Self


class SharedListener(socket.socket):
    """Listening socket whose connections are shared evenly among processes.

    asyncio accepts all waiting connections at once, so the process that wakes first would get them all. This socket
    reports that none is waiting after each one; the next iteration of the event loop accepts another, unless a process
    that is less busy has.
    """

    _has_accepted = False

    @classmethod
    def of(cls, listener: socket.socket) -> Self:
        """Returns the shared form of a listening socket, which is detached."""
        return cls(listener.family, listener.type, listener.proto, listener.detach())

    def accept(self) -> tuple[socket.socket, Any]:
        """Returns a connection and its address. Raises `BlockingIOError` if none is waiting, and at every second
        call."""
        if self._has_accepted:
            self._has_accepted = False
            raise BlockingIOError
        accepted = super().accept()
        self._has_accepted = True
        return accepted
