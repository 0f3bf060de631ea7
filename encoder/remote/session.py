"""HTTP connections that stay open between requests, and can be aborted from another thread.

httpx cannot abort a request: its timeouts hold for a single read, so a server that sends slowly exceeds them, and
closing a client does not wake a thread that waits for a response. Shutting down the socket does. httpx names the socket
only when a connection is made, so each connection has a client of its own.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from socket import SHUT_RDWR, socket
from ssl import SSLContext
from threading import Event, Lock, Timer
from typing import Any, NamedTuple

import httpx

#: Idle connections are closed before uvicorn, which vLLM and SGLang run on, closes them after 5 s: a request sent at
#: that moment would fail.
KEEP_ALIVE_S = 2.0
#: The same over TLS, which takes two more round trips to open and ends at a gateway that waits a minute or more.
TLS_KEEP_ALIVE_S = 30.0


class SessionClosed(Exception):
    """The session was closed before the response was complete."""


class ResponseTooLarge(Exception):
    """The response has more bytes than the request allows."""


@dataclass(frozen=True)
class HttpRequest:
    """A request, and the limits of its response."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    #: User name and password for HTTP basic authentication.
    auth: tuple[str, str] | None = field(repr=False)
    content: bytes | None = field(repr=False)
    #: Time from the connection to the end of the response.
    timeout_s: float
    #: Maximum size of the response's content.
    max_bytes: int


class HttpResponse(NamedTuple):
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Session:
    """Sends requests, each on a connection that no other is using. Thread-safe; once closed, it stays closed."""

    def __init__(self) -> None:
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._closed = Event()
        self._lock = Lock()

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """The response. Raises `TimeoutError`, `ResponseTooLarge`, `SessionClosed`, and the exceptions of httpx. Name
        resolution comes before the timeout and takes as long as the system allows."""
        if request.timeout_s <= 0:
            raise TimeoutError
        connection = self._acquire(TLS_KEEP_ALIVE_S if request.url.startswith("https:") else KEEP_ALIVE_S)
        try:
            response = connection.exchange(request)
        except BaseException as error:
            self._release(connection, reusable=False)
            if self._closed.is_set() and isinstance(error, Exception):
                raise SessionClosed from error
            raise
        self._release(connection, reusable=True)
        return response

    def pause(self, seconds: float) -> None:
        """Waits. Raises `SessionClosed`, at once when the session is closed."""
        if self._closed.wait(seconds):
            raise SessionClosed

    def close(self) -> None:
        """Aborts requests and pauses in progress, which raise `SessionClosed`, and closes the connections."""
        with self._lock:
            self._closed.set()
            idle, self._idle = self._idle, []
            busy = [*self._busy]
        for connection in busy:
            connection.abort()
        for connection in idle:
            connection.close()

    def _acquire(self, keep_alive_s: float) -> "_Connection":
        with self._lock:
            if self._closed.is_set():
                raise SessionClosed
            connection = self._idle.pop() if self._idle else _Connection(keep_alive_s)
            self._busy.add(connection)
            return connection

    def _release(self, connection: "_Connection", *, reusable: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            if reusable and not self._closed.is_set():
                self._idle.append(connection)
                return
        connection.close()


class _Connection:
    """A connection for one request at a time, made again when the server has closed it."""

    def __init__(self, keep_alive_s: float) -> None:
        limits = httpx.Limits(max_connections=1, keepalive_expiry=keep_alive_s)
        self._client = httpx.Client(limits=limits, verify=_ssl_context())
        self._socket: socket | None = None
        self._number = 0  # of the request
        self._aborted = False
        self._lock = Lock()

    def exchange(self, request: HttpRequest) -> HttpResponse:
        timer = Timer(request.timeout_s, partial(self.abort, self._number))
        timer.daemon = True
        timer.start()
        try:
            response = self._send(request)
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.TransportError as error:
            raise (TimeoutError() if self._aborted else error) from error
        finally:
            timer.cancel()
            with self._lock:
                self._number += 1
        if self._aborted:  # a response without a length seems complete
            raise TimeoutError
        return response

    def _send(self, request: HttpRequest) -> HttpResponse:
        content = bytearray()
        with self._client.stream(
            request.method,
            request.url,
            content=request.content,
            headers=request.headers,
            auth=request.auth,
            timeout=request.timeout_s,
            extensions={"trace": self._trace},
        ) as response:
            for part in response.iter_bytes():
                content += part
                if len(content) > request.max_bytes:
                    raise ResponseTooLarge
        return HttpResponse(response.status_code, response.headers, bytes(content))

    def abort(self, number: int | None = None) -> None:
        """Shuts the connection down; a read or write in progress fails at once. `number`: only during that request."""
        with self._lock:
            if number in (None, self._number):
                self._aborted = True
                self._shut_down()

    def close(self) -> None:
        self._client.close()

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx, with every connection that is made among other events."""
        stream: Any = info.get("return_value") if event.endswith(".complete") else None
        connected = stream.get_extra_info("socket") if hasattr(stream, "get_extra_info") else None
        if isinstance(connected, socket):
            with self._lock:
                self._socket = connected
                if self._aborted:
                    self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # already closed
                socket.shutdown(self._socket, SHUT_RDWR)


@cache
def _ssl_context() -> SSLContext:
    """One for all connections: it takes 20 ms to load."""
    return httpx.create_ssl_context()
