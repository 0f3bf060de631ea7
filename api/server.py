"""The uvicorn server that runs the application, in the calling thread or in the background."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from foxing.renderer import FoxingError

from .settings import InvalidSettings

GRACE_S = 30  # seconds that requests in progress have to finish on shutdown
BACKLOG = 2048  # connections waiting to be accepted


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


class _Server(uvicorn.Server):
    """Tells the application that it stops before it waits for the requests in progress."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        service = getattr(getattr(self.config.app, "state", None), "service", None)
        if service is not None:
            service.stopping.set()
        await super().shutdown(sockets)


def make_server(app: FastAPI) -> uvicorn.Server:
    """A server that leaves logging to the application."""
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_S
    )
    return _Server(config)


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serves until SIGTERM or SIGINT, then finishes requests in progress. Raises `StartFailed`."""
    server = make_server(app)
    with suppress(SystemExit):  # uvicorn exits if the application does not start
        server.run(sockets=[listener])
    if not server.started:
        raise StartFailed


class BackgroundServer:
    """A service at `url`, on a free port of 127.0.0.1, that runs in a thread for the length of a `with` block.

    For tests, benchmarks and notebooks. Entering the block raises `StartFailed`.
    """

    def __init__(self, app: FastAPI) -> None:
        self._listener = listen("127.0.0.1", 0)
        self._server = make_server(app)
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
