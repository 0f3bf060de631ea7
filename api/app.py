"""The FastAPI application."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from foxing.memory import Memory
from foxing.memory.telemetry import watch

from .auth import CONSOLE, Authenticator
from .console.app import Console
from .dependencies import Service
from .exception_handlers import add_exception_handlers
from .imports import remove_leftovers
from .logs import configure_logs, get_logger
from .member import Member
from .memory_factory import open_loaded_memory
from .metrics import Metrics
from .middleware import RequestGuard, RequestLogging
from .openapi.document import DESCRIPTION, TAGS, openapi_document
from .plugins.apps import MountedApp, mount_apps
from .processes.forwarding import Forwarding
from .reloading import Reloader
from .routes import ROUTERS
from .scheduler import Clock
from .settings import Settings, settings_file
from .tracing import RequestTracing, Tracing
from .worker import Worker

#: Seconds between two measurements of the decode queue, where several processes serve one address.
DEPTH_S = 1.0


def create_app(
    settings: Settings,
    memory: Memory | None = None,
    tracing: Tracing | None = None,
    *,
    token: str | None = None,
    member: Member | None = None,
) -> FastAPI:
    """Returns the HTTP service over `memory`, which the caller closes. Without `memory`, the application opens the
    memory of the settings on startup and closes it on shutdown. `tracing`: default: that of the settings. `token`: see
    `running_service.announced`. `member`: this process among several that serve one address.

    Raises `InvalidSettings` if `host` is not a loopback address and no API key is set, or if the packages for tracing
    are not installed.
    """
    settings.check_host()
    traces = Tracing.chosen(settings) if tracing is None else tracing
    metrics = Metrics(member)
    app = FastAPI(
        title="Foxing",
        summary="Long-context optical memory for LLM agents",
        description=DESCRIPTION,
        version=version("foxing"),
        openapi_tags=TAGS,
        docs_url=None,  # FastAPI's page loads scripts from a CDN; ours is in routes/health.py
        redoc_url=None,
        redirect_slashes=False,
        routes=[route for router in ROUTERS for route in router.routes],
        lifespan=lambda app: _watched(traces, metrics, _lifespan(app, settings, memory, metrics, mounted, member)),
    )
    mounted: list[MountedApp] = mount_apps(app)
    if settings.console:
        app.add_route("/console", lambda request: RedirectResponse("/console/banks", 303), include_in_schema=False)
        app.mount("/console", Console(lambda: app.state.service).app(), name="/console")
    authenticator = guard(app, settings, metrics, traces, token)
    if member is not None and not member.is_first:
        app.add_middleware(Forwarding, url=member.first_url, forwards=lambda path: _is_elsewhere(path, mounted))
    app.state.reloader = Reloader(
        settings,
        Settings.check_host,
        partial(configure_logs, process=None if member is None else member.number),
        authenticator.apply,
        lambda fresh: app.state.service.apply(fresh),
    )
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    return app


def guard(app: FastAPI, settings: Settings, metrics: Metrics, tracing: Tracing, token: str | None) -> Authenticator:
    """Adds what each request passes: traces, logging and counting, the checks of its key and its body, and problem
    documents for errors. Expects the `Service` in `app.state`. Returns what checks keys."""
    add_exception_handlers(app)
    authenticator = Authenticator(settings, token, lambda: app.state.service.key_checks)
    # The middleware added last is the outermost.
    app.add_middleware(
        RequestGuard,
        authenticator=authenticator,
        max_body_bytes=settings.max_body_bytes,
        admit=lambda access: app.state.service.admit(access),
        refuse=lambda *call: app.state.service.memory.operations.audit.refuse(*call),
    )
    app.add_middleware(RequestLogging, metrics=metrics)
    app.add_middleware(RequestTracing, tracing=tracing)
    return authenticator


@asynccontextmanager
async def _watched(
    tracing: Tracing, metrics: Metrics, lifespan: AbstractAsyncContextManager[None]
) -> AsyncIterator[None]:
    """Traces and times the operations of the memory during the lifespan of the application."""
    unwatch = watch(metrics.operations.watch)
    tracing.start()
    try:
        async with lifespan:
            yield
    finally:
        unwatch()
        await anyio.to_thread.run_sync(tracing.stop)


@asynccontextmanager
async def _lifespan(
    app: FastAPI,
    settings: Settings,
    memory: Memory | None,
    metrics: Metrics,
    mounted: Sequence[MountedApp],
    member: Member | None,
) -> AsyncIterator[None]:
    """Opens a memory if the caller passed none, starts the mounted apps, and runs the scheduler and a worker if ageing
    is enabled. Of several processes, the first ages."""
    is_first = member is None or member.is_first
    ages = settings.ageing_enabled and is_first
    await anyio.to_thread.run_sync(remove_leftovers)
    opened = memory if memory is not None else await anyio.to_thread.run_sync(open_loaded_memory, settings)
    app.state.service = Service(opened, settings, metrics, member)
    metrics.watch(opened)
    worker = Worker(opened, metrics, app.state.service.stopping.is_set)
    clock = Clock(opened, settings.ageing_interval_s, metrics, worker.call, fills=is_first)
    log = get_logger()
    file = settings_file().resolve()
    log.info(
        "started",
        database=opened.operations.database_url,
        codec=settings.codec,
        ageing=ages,
        settings=str(file) if file.is_file() else "environment",
    )
    app.state.service.jobs.open()
    if ages:
        worker.start()
    if settings.ageing_enabled:
        clock.start()
    try:
        async with AsyncExitStack() as stack:
            for item in mounted:
                await item.start(opened, stack, is_first=is_first)
            await stack.enter_async_context(_measured_queue(opened, metrics, member))
            yield
    finally:
        if settings.ageing_enabled:
            await anyio.to_thread.run_sync(clock.stop)
        if ages:
            await anyio.to_thread.run_sync(worker.stop)
        await app.state.service.close()
        if memory is None:
            await anyio.to_thread.run_sync(opened.close)
        log.info("stopped")


@asynccontextmanager
async def _measured_queue(memory: Memory, metrics: Metrics, member: Member | None) -> AsyncIterator[None]:
    """Has the gauge of the decode queue read on each scrape or, where another process may be asked for it, each second
    during the block."""
    depth = metrics.memory.decode_queue
    if member is None:
        depth.set_function(lambda: memory.operations.queue_depth)
        yield
        return

    async def measure() -> None:
        while True:
            depth.set(memory.operations.queue_depth)
            await asyncio.sleep(DEPTH_S)

    measuring = asyncio.create_task(measure())
    try:
        yield
    finally:
        measuring.cancel()


def _is_elsewhere(path: str, mounted: Sequence[MountedApp]) -> bool:
    """Returns whether only the first process answers requests for a path."""
    return f"{path}/".startswith(CONSOLE) or any(
        app.is_elsewhere and f"{path}/".startswith(f"{app.path_format}/") for app in mounted
    )
