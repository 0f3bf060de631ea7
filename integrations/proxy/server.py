"""Server of the proxy."""

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from foxing.integrations.client import Target
from foxing.memory import InvalidInput
from foxing.memory.garbage import exempt_loaded

from .app import Proxy, make_app
from .options import ProxyOptions

BACKLOG = 1024
_GRACE_S = 5
_KEEP_ALIVE_S = 75
#: Timeout for receiving the head of a request.
_HEAD_S = 30.0


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket. Raises `InvalidInput` if that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay only where the protocol is named
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(
            f"cannot listen on {host} port {port} ({reason}); choose another --port or --host"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Returns the base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


#: Bytes that are read, and parsed, in one iteration of the event loop.
READ_BYTES = 1 << 16


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol, which closes a connection whose client does not send the head of a request."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        if hasattr(transport, "max_size"):  # that of asyncio: what a body of tiny chunks takes to parse, at once
            transport.max_size = READ_BYTES
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and not self._in_progress:
            self._wait_for_head()
        super().data_received(data)
        if self._in_progress or self.transport.get_protocol() is not self:  # it has become a websocket
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _in_progress(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _ProcessServer(uvicorn.Server):
    """The server of a dedicated process, which exempts what is loaded from garbage collection."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        exempt_loaded()


def server_of(app: Starlette, options: ProxyOptions, *, own_process: bool = False) -> uvicorn.Server:
    """Returns a server for the application, whose answers have the headers of the upstream. `own_process`: whether
    nothing else runs in this process."""
    config = uvicorn.Config(
        app,
        http=_Protocol,
        backlog=BACKLOG,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        ws="websockets-sansio",
        ws_max_size=options.max_frame_bytes,
        ws_per_message_deflate=False,  # 16 KiB would become 16 MiB on the event loop
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return _ProcessServer(config) if own_process else uvicorn.Server(config)


class BackgroundProxy:
    """A proxy at `url`, on a free port of 127.0.0.1, that runs in a thread during a `with` block."""

    def __init__(self, options: ProxyOptions, find: Callable[[], Target]) -> None:
        """`find`: see `make_app`."""
        app = make_app(options, find)
        self.proxy: Proxy = app.state.proxy
        self._listener = listen("127.0.0.1", 0)
        self._server = server_of(app, options)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), name="foxing proxy")
        self.url = url_of(self._listener)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.005)
            if not self._thread.is_alive():
                self._listener.close()
                raise RuntimeError("the proxy did not start; see the log")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the proxy, once the turns that passed are in the bank if it answers."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
