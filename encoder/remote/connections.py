"""Connections of requests in progress, which another thread can abort."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from threading import Lock, Timer
from typing import Any


class RequestConnection:
    """The sockets that one request uses. httpx takes it as the extension `trace`, which is called with every
    connection made; a connection serves one request."""

    def __init__(self) -> None:
        self.aborted = False
        self._sockets: list[socket] = []
        self._lock = Lock()

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        stream: Any = info.get("return_value") if event.endswith(".complete") else None
        if hasattr(stream, "get_extra_info"):
            connected = stream.get_extra_info("socket")
            if isinstance(connected, socket):
                with self._lock:
                    self._sockets.append(connected)
                    if self.aborted:
                        _shut_down(connected)

    def abort(self) -> None:
        """Shuts the connection down; a read or write in progress fails at once."""
        with self._lock:
            self.aborted = True
            for connected in self._sockets:
                _shut_down(connected)


class Connections:
    """The connections of all requests in progress."""

    def __init__(self) -> None:
        self._open: set[RequestConnection] = set()
        self._lock = Lock()

    @contextmanager
    def connection(self, timeout_s: float) -> Iterator[RequestConnection]:
        """A connection for one request, aborted after `timeout_s`."""
        connection = RequestConnection()
        timer = Timer(timeout_s, connection.abort)
        timer.daemon = True
        with self._lock:
            self._open.add(connection)
        timer.start()
        try:
            yield connection
        finally:
            timer.cancel()
            with self._lock:
                self._open.discard(connection)

    def abort(self) -> None:
        """Aborts all of them."""
        with self._lock:
            connections = [*self._open]
        for connection in connections:
            connection.abort()


def _shut_down(connected: socket) -> None:
    with suppress(OSError):  # already closed
        socket.shutdown(connected, SHUT_RDWR)
