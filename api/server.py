"""The uvicorn server that runs the application, in the calling thread or in the background.

Slow or stalled clients cannot block others. There are timeouts for receiving a request and for reading its response,
and when connections or requests reach their limits, the connection whose client has been silent the longest is closed.
Mounted apps, whose responses may never end, are limited to a share of the requests. Some connections are reserved for
idle clients, so that new connections are accepted and `/healthz` responds.
"""

import asyncio
import ctypes
import signal
import socket
import struct
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from time import monotonic
from types import TracebackType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from foxing.memory.garbage import exempt_loaded
from foxing.renderer import FoxingError

from .dependencies import Service
from .middleware import REFUSAL
from .plugins.apps import PREFIX
from .settings import InvalidSettings

GRACE_S = 30  # timeout for requests in progress on shutdown
#: Timeout on shutdown for clients to send the rest of a request or read a response, and for mounted apps to finish
#: responses that have started.
CLIENT_GRACE_S = 5.0
TICK_S = 0.1  # between two calls of `on_tick`, as in uvicorn
LOADING_S = 5.0  # time that shutdown waits for the codec to finish loading
BACKLOG = 128  # listen backlog; this many connections may be accepted, or fail, at once
#: Thread switch interval of the interpreter. Python's default of 5 ms is as long as a store.
SWITCH_S = 0.002
#: Maximum number of malloc arenas. By default there are eight per core, and memory freed in one is not reused by
#: threads of another: memory use doubles within two minutes under load.
ARENAS = 2
_M_ARENA_MAX = -8  # of glibc's mallopt
HEAD_S = 10.0  # timeout for receiving the head of a request
#: Period over which the read rate of a client is measured, and the minimum rate.
UNREAD_S = 20.0
MIN_BYTES_PER_S = 1024
#: Maximum size of the unread responses of all connections; above it, the connection stalled longest is closed.
MAX_UNREAD_BYTES = 256 << 20
MAX_CONNECTIONS = 1000
#: File descriptors reserved for everything except connections: database files, weights, log.
RESERVED_DESCRIPTORS = 256
#: Not subject to the limit of requests.
LIVENESS_PATH = "/healthz"


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits on concurrent connections, and timeouts for clients."""

    #: Maximum number of connections.
    connections: int
    #: Timeout for receiving the head of a request, in seconds.
    head_s: float = HEAD_S
    #: Period over which the read rate of a client is measured, in seconds.
    unread_s: float = UNREAD_S

    @property
    def requests(self) -> int:
        """Maximum number of requests and websockets in progress: an eighth of the connections stays idle."""
        return max(1, self.connections - max(1, self.connections // 8))

    @property
    def mounted(self) -> int:
        """Maximum number of requests and websockets of mounted apps in progress."""
        return max(1, self.connections // 4)

    @classmethod
    def of_process(cls) -> Self:
        """Returns limits with as many connections as the limit of open files allows, at most `MAX_CONNECTIONS`."""
        try:
            import resource
        except ImportError:  # not on Windows
            return cls(MAX_CONNECTIONS)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        descriptors = (
            MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files - RESERVED_DESCRIPTORS)
        )
        return cls(max(16, descriptors))


class StartFailed(FoxingError):
    """The service could not start; see the log."""

    def __init__(self) -> None:
        super().__init__("the service could not start; see the log for the reason")


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 picks a free port. Raises `InvalidSettings` if the address is not
    available."""
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
    """Returns the base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Connections:
    """The connections of a server by state, each in order of waiting time, longest first."""

    def __init__(self) -> None:
        #: Waiting for a request.
        self.idle: OrderedDict[_Protocol, None] = OrderedDict()
        #: Waiting for the client to send the rest of a request or to read a response.
        self.stalled: OrderedDict[_Protocol, None] = OrderedDict()
        #: With a response of a mounted app that has started.
        self.streams: OrderedDict[_Protocol, None] = OrderedDict()
        #: With a request in progress.
        self.requests: set[_Protocol] = set()
        #: With a request to a mounted app in progress.
        self.mounted: set[_Protocol] = set()

    def discard(self, connection: "_Protocol") -> None:
        """Removes a closed connection."""
        for ordered in (self.idle, self.stalled, self.streams):
            ordered.pop(connection, None)
        self.end_request(connection)

    def end_request(self, connection: "_Protocol") -> None:
        """Removes a connection whose request has ended from the requests in progress."""
        self.requests.discard(connection)
        self.mounted.discard(connection)
        self.streams.pop(connection, None)


#: Bytes that are read, and parsed, in one iteration of the event loop.
READ_BYTES = 1 << 16


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol with `ConnectionLimits`; each server has its own subclass."""

    limits: ConnectionLimits
    others: _Connections
    app: ASGIApp
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None
    _awaits_body = False

    def connection_made(self, transport: Any) -> None:
        if hasattr(transport, "max_size"):  # that of asyncio: what a body of tiny chunks takes to parse, at once
            transport.max_size = READ_BYTES
        super().connection_made(transport)
        self.app = partial(self._run, self.app)
        self._wait_for_head()
        while len(self.connections) > self.limits.connections:
            # If none is waiting, all are responding to /healthz; they will be idle in a moment and are closed then.
            longest = next((one for one in chain(self.others.idle, self.others.stalled) if one is not self), None)
            if longest is None:
                break
            longest.abort()

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and not self.in_progress:
            self._wait_for_head()
        super().data_received(data)
        if self.in_progress:
            self._begin_request()
        elif self.transport.get_protocol() is not self:  # it has become a websocket
            self._stop_waiting_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.others.end_request(self)
        self.others.idle[self] = None
        super().on_response_complete()
        if self.in_progress:  # the next request has already arrived
            self._begin_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()
        self._note_stall()
        unread = [one for one in self.others.stalled if one.unread_bytes]
        total = sum(one.unread_bytes for one in unread)
        for one in unread:
            if total <= MAX_UNREAD_BYTES or one is self:
                break
            total -= one.unread_bytes
            one.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching_reader()
        self._note_stall()

    def handle_websocket_upgrade(self, *event: Any) -> None:
        if self._make_room() is None:
            super().handle_websocket_upgrade(*event)
        else:
            self.transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
            )
            self.transport.close()

    @property
    def in_progress(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def unread_bytes(self) -> int:
        """Size of the responses that the client has not read, without the system's send buffer, in bytes."""
        return int(self.transport.get_write_buffer_size())

    @property
    def websockets(self) -> int:
        return sum(not isinstance(one, _Protocol) for one in self.connections)

    def abort(self) -> None:
        if self._unread_timer is not None:  # the system discards its send buffer as well
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._forget()
        self.connections.discard(self)
        self.transport.abort()

    def abort_on_shutdown(self) -> None:
        """Closes the connection unless the application is still computing a response."""
        if self in self.others.stalled or self in self.others.streams or not self.in_progress:
            self.abort()

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application, and records when it waits for the client."""
        mounted = scope["path"].startswith(PREFIX)
        refusal = self._refusal(scope, mounted)
        if refusal is not None:
            self.others.end_request(self)
            scope["state"][REFUSAL] = refusal
        elif mounted and self in self.others.requests:
            self.others.mounted.add(self)
        more_body = True

        async def noting_receive() -> Message:
            nonlocal more_body
            if not more_body:
                return await receive()
            self._awaits_body = True
            self._note_stall()
            try:
                message = await receive()
            finally:
                self._awaits_body = False
                self._note_stall()
            more_body = message.get("more_body", False)
            return message

        async def noting_send(message: Message) -> None:
            await send(message)
            if self in self.others.mounted:
                self.others.streams[self] = None
                self.others.streams.move_to_end(self)

        await app(scope, noting_receive, noting_send)

    def _refusal(self, scope: Scope, mounted: bool) -> str | None:
        """Returns the reason for which a request is rejected; None if it is within the limits, closing a stalled
        connection if necessary."""
        headers = Headers(scope=scope)
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        if scope["path"] == LIVENESS_PATH and not has_body:
            return None
        if mounted and (refusal := self._make_room()) is not None:
            return refusal
        maximum = self.limits.requests
        if len(self.others.requests) + self.websockets > maximum:
            longest = next((one for one in self.others.stalled if one in self.others.requests), None)
            if longest is None:
                return f"{maximum} requests are in progress; send the request again later"
            longest.abort()
        return None

    def _make_room(self) -> str | None:
        """Makes room for another request to a mounted app, closing a stalled one if necessary. Returns the reason if
        that is not possible, else None."""
        maximum = self.limits.mounted
        mounted = self.others.mounted
        if len(mounted) + self.websockets >= maximum:
            longest = next((one for one in chain(self.others.stalled, self.others.streams) if one in mounted), None)
            if longest is None:
                return f"{maximum} requests to mounted apps are in progress; send the request again later"
            longest.abort()
        return None

    def _begin_request(self) -> None:
        self._stop_waiting_for_head()
        self.others.requests.add(self)

    def _wait_for_head(self) -> None:
        self.others.idle[self] = None
        self._head_timer = self.loop.call_later(self.limits.head_s, self.abort)

    def _stop_waiting_for_head(self) -> None:
        self.others.idle.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_reader(self) -> None:
        self._stop_watching_reader()
        self._unread_timer = self.loop.call_later(self.limits.unread_s, self._check_reader, self.unread_bytes)

    def _check_reader(self, unread_bytes: int) -> None:
        """Closes the connection if its client has read less of `unread_bytes` than the minimum rate requires."""
        if unread_bytes - self.unread_bytes < self.limits.unread_s * MIN_BYTES_PER_S:
            self.abort()
        else:
            self._watch_reader()

    def _stop_watching_reader(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _note_stall(self) -> None:
        """Records the connection as stalled if it waits for its client, and removes it otherwise."""
        if self in self.connections and (self._awaits_body or self._unread_timer is not None):
            self.others.stalled.setdefault(self)
        else:
            self.others.stalled.pop(self, None)

    def _forget(self) -> None:
        self._stop_waiting_for_head()
        self._stop_watching_reader()
        self.others.discard(self)


def _protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Returns a protocol class for one server with `limits`."""
    return type("Protocol", (_Protocol,), {"limits": limits, "others": _Connections()})


class _Server(uvicorn.Server):
    """On shutdown, answers for the seconds that the service drains, notifies the application before waiting for
    requests in progress, and waits at most `CLIENT_GRACE_S` for clients."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, sets `Service.stopping`, and closes connections that wait for their client after `CLIENT_GRACE_S`."""
        service = getattr(getattr(self.config.app, "state", None), "service", None)
        if service is not None:
            service.draining.set()
            await self._drain(service.settings.drain_s)
            service.stopping.set()
        closing = asyncio.create_task(self._close_connections())
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()

    async def _drain(self, drain_s: float) -> None:
        """Answers as before for `drain_s` seconds, or until Ctrl-C is pressed again."""
        ends_at = monotonic() + drain_s
        for tick in count():
            if self.force_exit or monotonic() >= ends_at:
                return
            await self.on_tick(tick)  # sets the time in the headers of responses
            await asyncio.sleep(TICK_S)

    async def _close_connections(self) -> None:
        await asyncio.sleep(CLIENT_GRACE_S)
        while True:
            for connection in list(self.server_state.connections):
                if isinstance(connection, _Protocol):
                    connection.abort_on_shutdown()
                else:
                    connection.transport.abort()
            await asyncio.sleep(0.1)


class _ProcessServer(_Server):
    """The server of a dedicated process. After it starts listening, it loads the codec, exempts what is loaded from
    garbage collection, and fills the page cache. SIGHUP reloads the settings."""

    #: Called with the server once it answers requests.
    on_start: Callable[[uvicorn.Server], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening, and then loads the codec in a thread."""
        await super().startup(sockets)
        with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):  # on Windows, in a thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.config.app.state.reloader)  # type: ignore[union-attr]
        if self.started and self.on_start is not None:
            self.on_start(self)
        self._loading = threading.Thread(target=self._load, name="loading", daemon=True)
        self._loading.start()

    def _load(self) -> None:
        service: Service = self.config.app.state.service  # type: ignore[union-attr]
        with suppress(FoxingError):  # the readiness check reports it
            service.memory.check()
        exempt_loaded()
        if service.settings.warm_cache:
            with suppress(FoxingError):
                service.memory.operations.warm(service.stopping.is_set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shuts down, and waits up to `LOADING_S` for the loading thread."""
        await super().shutdown(sockets)
        self._loading.join(LOADING_S)


def make_server(app: FastAPI, limits: ConnectionLimits | None = None, *, own_process: bool = False) -> uvicorn.Server:
    """Returns a server that leaves logging to the application. `limits`: default: those of the process. `own_process`:
    whether nothing else runs in this process, whose interpreter and garbage collection are then tuned."""
    return _process_server(app, limits) if own_process else _Server(_config(app, limits))


def _process_server(app: FastAPI, limits: ConnectionLimits | None = None) -> _ProcessServer:
    set_up_interpreter()
    return _ProcessServer(_config(app, limits))


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


def run(app: FastAPI, *listeners: socket.socket, on_start: Callable[[uvicorn.Server], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then finishes requests in progress. For a dedicated process. `on_start`: called
    with the server once it answers requests. Raises `StartFailed`."""
    server = _process_server(app)
    server.on_start = on_start
    with suppress(SystemExit):  # uvicorn exits if the application does not start
        server.run(sockets=list(listeners))
    if not server.started:
        raise StartFailed


def set_up_interpreter() -> None:
    """Shortens the thread switch interval, so that computing threads delay responses less, and limits malloc arenas."""
    sys.setswitchinterval(SWITCH_S)
    with suppress(OSError, AttributeError, TypeError):  # not on Windows, macOS or musl
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


class BackgroundServer:
    """A service at `url` that runs in a thread during a `with` block. Entering the block raises `StartFailed`."""

    def __init__(
        self, app: FastAPI, limits: ConnectionLimits | None = None, *, listener: socket.socket | None = None
    ) -> None:
        """`listener`: socket that it closes; default: on a free port of 127.0.0.1."""
        self._listener = listen("127.0.0.1", 0) if listener is None else listener
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
