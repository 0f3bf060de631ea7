"""The uvicorn server that runs the application, in the calling thread or in the background.

Connections that send nothing, or half a request, keep nobody out: the head of a request has to come in time, and where
all connections are taken the one that has waited longest for a request is closed.
"""

import asyncio
import ctypes
import gc
import socket
import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from foxing.renderer import FoxingError

from .dependencies import Service
from .settings import InvalidSettings

GRACE_S = 30  # seconds that requests in progress have to finish on shutdown
LOADING_S = 5.0  # seconds that shutdown waits for the codec to be loaded
BACKLOG = 128  # connections waiting to be accepted; as many are accepted at once, and may fail at once
#: After which a thread that computes gives the interpreter to one that waits. Python's 5 ms are as long as a store.
SWITCH_S = 0.002
#: Pools of memory that malloc has. By default there are eight for each core, and every thread fills its own with what
#: it has freed: twice the memory after two minutes under load.
ARENAS = 2
_M_ARENA_MAX = -8  # of glibc's mallopt
HEAD_S = 10.0  # seconds that the head of a request may take
MAX_CONNECTIONS = 1000
#: Descriptors for everything that is no connection: database files, weights, log.
RESERVED_DESCRIPTORS = 256


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there are at once, and how long a client may take to send the head of a request."""

    connections: int
    head_s: float = HEAD_S

    @classmethod
    def of_process(cls) -> Self:
        """As many connections as the limit of open files allows, `MAX_CONNECTIONS` at most."""
        try:
            import resource
        except ImportError:  # not on Windows
            return cls(MAX_CONNECTIONS)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        most = (
            MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files - RESERVED_DESCRIPTORS)
        )
        return cls(max(16, most))


class StartFailed(FoxingError):
    """The service could not start; the log says why."""

    def __init__(self) -> None:
        super().__init__("the service could not start; the log says why")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free port. Raises `InvalidSettings` if the address is not available."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidSettings(f"cannot resolve the address '{host}' ({error.strerror}); change --host") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InvalidSettings(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another --port or --host"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol within the limits of a server, of which there is a subclass for each."""

    limits: ConnectionLimits
    #: Connections of the server without a request in progress, the one that has waited longest first.
    waiting: OrderedDict["_Protocol", None]
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            next(iter(self.waiting), self).abort()
        self.wait()

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and not self.in_progress:
            self.wait()
        super().data_received(data)
        if self.in_progress or self.transport.get_protocol() is not self:  # or it has become a websocket
            self.stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.waiting[self] = None
        super().on_response_complete()

    @property
    def in_progress(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def wait(self) -> None:
        """Waits for the head of a request."""
        self.waiting[self] = None
        self._head_timer = self.loop.call_later(self.limits.head_s, self.abort)

    def stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def abort(self) -> None:
        self.stop_waiting()
        self.connections.discard(self)
        self.transport.abort()


def _protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """The protocol of a server within `limits`."""
    return type("Protocol", (_Protocol,), {"limits": limits, "waiting": OrderedDict()})


class _Server(uvicorn.Server):
    """Tells the application that it stops before it waits for the requests in progress."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        service = getattr(getattr(self.config.app, "state", None), "service", None)
        if service is not None:
            service.stopping.set()
        await super().shutdown(sockets)


class _ProcessServer(_Server):
    """The server of a process of its own. Once it listens it loads the codec, as a readiness check does, spares what is
    loaded from garbage collection, which would stop all threads for a tenth of a second, and reads the newest pages."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loading = threading.Thread(target=self._load, name="loading", daemon=True)
        self._loading.start()

    def _load(self) -> None:
        service: Service = self.config.app.state.service  # type: ignore[union-attr]
        with suppress(FoxingError):  # the readiness check says so
            service.memory.check()
        gc.collect()
        gc.freeze()
        if service.settings.warm_cache:
            with suppress(FoxingError):
                service.memory.warm(service.stopping.is_set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._loading.join(LOADING_S)


def make_server(app: FastAPI, limits: ConnectionLimits | None = None) -> uvicorn.Server:
    """A server that leaves logging to the application."""
    return _Server(_config(app, limits))


def _config(app: FastAPI, limits: ConnectionLimits | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_protocol(limits or ConnectionLimits.of_process()),
        backlog=BACKLOG,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serves until SIGTERM or SIGINT, then finishes requests in progress. Raises `StartFailed`. The process is the
    service's own: the interpreter is set up for it."""
    set_up_interpreter()
    server = _ProcessServer(_config(app))
    with suppress(SystemExit):  # uvicorn exits if the application does not start
        server.run(sockets=[listener])
    if not server.started:
        raise StartFailed


def set_up_interpreter() -> None:
    """Sets up the process for threads that compute beside threads that answer, and for little memory."""
    sys.setswitchinterval(SWITCH_S)
    with suppress(OSError, AttributeError, TypeError):  # not on Windows, macOS or musl
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


class BackgroundServer:
    """A service at `url`, on a free port of 127.0.0.1, that runs in a thread for the length of a `with` block.

    For tests, benchmarks and notebooks. Entering the block raises `StartFailed`.
    """

    def __init__(self, app: FastAPI, limits: ConnectionLimits | None = None) -> None:
        self._listener = listen("127.0.0.1", 0)
        self._server = make_server(app, limits)
        self._thread = threading.Thread(target=self._run, name="foxing-service", daemon=True)
        self.url = url_of(self._listener)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.005)
            if not self._thread.is_alive():
                self._listener.close()
                raise StartFailed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        with suppress(SystemExit):  # `__enter__` raises instead
            self._server.run(sockets=[self._listener])
