"""The FastAPI application."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI

from foxing.memory import Memory

from .auth import Authenticator
from .dependencies import Service
from .exception_handlers import add_exception_handlers
from .logs import get_logger
from .memory_factory import open_loaded_memory
from .metrics import Metrics
from .middleware import RequestGuard, RequestLogging
from .openapi.document import DESCRIPTION, TAGS, openapi_document
from .plugins.apps import MountedApp, mount_apps
from .routes import ROUTERS
from .scheduler import Clock
from .settings import Settings, settings_file
from .worker import Worker


def create_app(settings: Settings, memory: Memory | None = None) -> FastAPI:
    """The HTTP service over `memory`, which the caller closes. Without `memory`, the application opens the one that
    the settings describe on startup and closes it on shutdown.

    Raises `InvalidSettings` if the settings would serve other machines without an API key.
    """
    settings.check_host()
    metrics = Metrics()
    app = FastAPI(
        title="Foxing",
        summary="Long-context optical memory for LLM agents",
        description=DESCRIPTION,
        version=version("foxing"),
        openapi_tags=TAGS,
        docs_url=None,  # FastAPI's page loads scripts from a CDN; ours is in routes/health.py
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda app: _lifespan(app, settings, memory, metrics, mounted),
    )
    for router in ROUTERS:
        app.include_router(router)
    mounted: list[MountedApp] = mount_apps(app)
    add_exception_handlers(app)
    # The middleware added last is the outermost.
    app.add_middleware(RequestGuard, authenticator=Authenticator(settings), max_body_bytes=settings.max_body_bytes)
    app.add_middleware(RequestLogging, metrics=metrics)
    app.openapi = lambda: openapi_document(app, ROUTERS)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(
    app: FastAPI, settings: Settings, memory: Memory | None, metrics: Metrics, mounted: Sequence[MountedApp]
) -> AsyncIterator[None]:
    """Opens a memory if the caller gave none, starts the mounted apps, and runs the clock and a worker
    where ageing is enabled."""
    opened = memory if memory is not None else await anyio.to_thread.run_sync(open_loaded_memory, settings)
    metrics.memory.decode_queue.set_function(lambda: opened.queue_depth)
    app.state.service = Service(opened, settings, metrics)
    metrics.ageing.watch_queue(opened.jobs)
    worker = Worker(opened, metrics)
    clock = Clock(opened, settings.ageing_interval_s, metrics, worker.call)
    log = get_logger()
    file = settings_file().resolve()
    log.info(
        "started",
        database=opened.database_url,
        codec=settings.codec,
        ageing=settings.ageing_enabled,
        settings=str(file) if file.is_file() else "environment",
    )
    if settings.ageing_enabled:
        worker.start()
        clock.start()
    try:
        async with AsyncExitStack() as stack:
            for item in mounted:
                await item.start(opened, stack)
            yield
    finally:
        if settings.ageing_enabled:
            await anyio.to_thread.run_sync(clock.stop)
            await anyio.to_thread.run_sync(worker.stop)
        await app.state.service.close()
        if memory is None:
            await anyio.to_thread.run_sync(opened.close)
        log.info("stopped")
