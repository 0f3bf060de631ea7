"""Server of the proxy."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from foxing.integrations.client import Target
from foxing.memory.errors import InvalidInput

from .app import Proxy, make_app
from .options import ProxyOptions

BACKLOG = 1024
_GRACE_S = 5
_KEEP_ALIVE_S = 75
_MOST_FRAME_BYTES = 256 << 20


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


def server_of(app: Starlette) -> uvicorn.Server:
    """Returns a server for the application, whose answers have the headers of the upstream."""
    config = uvicorn.Config(
        app,
        backlog=BACKLOG,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        ws="websockets-sansio",
        ws_max_size=_MOST_FRAME_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return uvicorn.Server(config)


class BackgroundProxy:
    """A proxy at `url`, on a free port of 127.0.0.1, that runs in a thread during a `with` block."""

    def __init__(self, options: ProxyOptions, find: Callable[[], Target]) -> None:
        """`find`: see `make_app`."""
        app = make_app(options, find)
        self.proxy: Proxy = app.state.proxy
        self._listener = listen("127.0.0.1", 0)
        self._server = server_of(app)
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
