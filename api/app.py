"""The FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI

from foxing.memory import Memory

from .auth import Authenticator
from .dependencies import Service
from .exception_handlers import add_handlers
from .logs import get_logger
from .metrics import Metrics
from .middleware import RequestGuard, RequestLogging
from .openapi.document import DESCRIPTION, TAGS, describe
from .opening import open_memory
from .routes import ROUTERS
from .scheduler import Clock
from .settings import Settings


def create_app(settings: Settings, memory: Memory | None = None) -> FastAPI:
    """The service over `memory`, which stays the caller's to close; without one, it opens what the settings name when
    it starts, and closes it when it stops.

    Raises `InvalidSettings` when the settings would serve other machines without a key.
    """
    settings.check_host()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened: Memory = memory if memory is not None else await anyio.to_thread.run_sync(open_memory, settings)
        metrics.queue.set_function(lambda: opened.queue_depth)
        app.state.service = Service(opened, settings, metrics)
        clock = Clock(opened, settings.ageing_interval_s, metrics) if settings.ageing_enabled else None
        log = get_logger()
        log.info("started", database=opened.database_url, codec=settings.codec, ageing=settings.ageing_enabled)
        if clock is not None:
            clock.start()
        try:
            yield
        finally:
            if clock is not None:
                await anyio.to_thread.run_sync(clock.stop)
            if memory is None:
                await anyio.to_thread.run_sync(opened.close)
            log.info("stopped")

    app = FastAPI(
        title="Foxing",
        summary="Long-context optical memory for LLM agents",
        description=DESCRIPTION,
        version=version("foxing"),
        openapi_tags=TAGS,
        docs_url=None,  # FastAPI's page loads scripts from elsewhere; ours is in routes/health.py
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(RequestGuard, gate=Authenticator(settings), max_body_bytes=settings.max_body_bytes)
    app.add_middleware(RequestLogging, metrics=metrics)
    app.openapi = lambda: describe(app, ROUTERS)  # type: ignore[method-assign]
    return app
