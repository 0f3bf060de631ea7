"""The HTTP service of a worker: health, readiness and metrics."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI

from foxing.memory import Memory

from .app import guard
from .dependencies import Service
from .logs import configure_logs, get_logger
from .metrics import Metrics
from .middleware import POLLED_PATHS
from .reloading import Reloader
from .routes import health
from .server import BackgroundServer, listen, url_of
from .settings import Settings
from .tracing import Tracing


def listen_for(settings: Settings) -> socket.socket | None:
    """Returns a socket at the address of `worker_http`; None without one. Raises `InvalidSettings` if the address is
    not available, or is not loopback and no API key is set."""
    own = settings.for_worker()
    return None if own is None else listen(own.check_host().host, own.port)


@contextmanager
def answering(settings: Settings, memory: Memory, metrics: Metrics, listener: socket.socket) -> Iterator[FastAPI]:
    """Answers `/healthz`, `/readyz` and `/metrics` in the block, in a thread. Yields the application: the worker is not
    ready any more once `draining` of its `Service` is set, and its `Reloader` reloads the settings of the worker."""
    service = Service(memory, settings, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = service
        yield
        await service.close()

    routes = [route for route in health.router.routes if getattr(route, "path", None) in POLLED_PATHS]
    app = FastAPI(openapi_url=None, redirect_slashes=False, routes=routes, lifespan=lifespan)
    authenticator = guard(app, settings.for_worker() or settings, metrics, Tracing(), token=None)
    app.state.reloader = Reloader(settings, _check_host, configure_logs, authenticator.apply, service.apply)
    with BackgroundServer(app, listener=listener):
        get_logger().info("listening", url=url_of(listener))
        yield app


def _check_host(settings: Settings) -> None:
    own = settings.for_worker()
    if own is not None:
        own.check_host()
