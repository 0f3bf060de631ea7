"""The connections of requests that run, which can be cut from another thread."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from threading import Lock, Timer
from typing import Any


class Wire:
    """What one request is sent through. It is given to httpx as the extension `trace`, which tells of every connection
    that is made; a connection serves one request."""

    def __init__(self) -> None:
        self.was_cut = False
        self._sockets: list[socket] = []
        self._lock = Lock()

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        stream: Any = info.get("return_value") if event.endswith(".complete") else None
        if hasattr(stream, "get_extra_info"):
            end = stream.get_extra_info("socket")
            if isinstance(end, socket):
                with self._lock:
                    self._sockets.append(end)
                    if self.was_cut:
                        _shut(end)

    def cut(self) -> None:
        """Whoever reads or writes gets to know at once that the connection has ended."""
        with self._lock:
            self.was_cut = True
            for end in self._sockets:
                _shut(end)


class Wires:
    """Those of all requests that run."""

    def __init__(self) -> None:
        self._wires: set[Wire] = set()
        self._lock = Lock()

    @contextmanager
    def wire(self, seconds: float) -> Iterator[Wire]:
        """One that is cut after so many seconds."""
        wire = Wire()
        timer = Timer(seconds, wire.cut)
        timer.daemon = True
        with self._lock:
            self._wires.add(wire)
        timer.start()
        try:
            yield wire
        finally:
            timer.cancel()
            with self._lock:
                self._wires.discard(wire)

    def cut(self) -> None:
        with self._lock:
            wires = [*self._wires]
        for wire in wires:
            wire.cut()


def _shut(end: socket) -> None:
    with suppress(OSError):  # it has ended by itself
        socket.shutdown(end, SHUT_RDWR)
