"""Mounted apps, from the entry point group `foxing.apps`.

    [project.entry-points."foxing.apps"]
    tea = "tea_timer.web:make_app"

An entry point refers to an ASGI application, or to a function that takes the service's `Memory` and returns one. The
service mounts it under `/x/<name>/`, behind authentication. Its requests are not buffered or validated. The lifespan of
a Starlette or FastAPI application runs with that of the service.
"""

import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, cast

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from foxing.api.logs import get_logger
from foxing.api.problems import MEDIA_TYPE, PLUGIN_BROKEN
from foxing.memory import Memory, Problem
from foxing.renderer import PluginError, Plugins

GROUP = "foxing.apps"
#: Path prefix of mounted apps.
PREFIX = "/x/"

AppFactory = Callable[[Memory], ASGIApp]


def _checked(name: str, value: object) -> AppFactory:
    if not callable(value):
        raise PluginError(f"its entry point refers to a {type(value).__name__}, not an ASGI application or a function")
    count = len(inspect.signature(value).parameters)
    if count == 1:
        return cast(AppFactory, value)
    if count == 3:
        return lambda memory: cast(ASGIApp, value)
    raise PluginError(
        f"{value!r} takes {count} parameters; an ASGI application takes three, and a function takes one, the memory"
    )


#: The apps of installed packages.
APPS: Plugins[AppFactory] = Plugins(GROUP, _checked)


class MountedApp:
    """The app called `name`, built when the service starts. If that fails, requests get a problem document.

    Where several processes serve one address, only the first runs the app, unless it is a Starlette application whose
    `state.stateless` is True."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path_format = f"{PREFIX}{name}"  # route in logs and metrics
        self._app: ASGIApp | None = None
        self._state: dict[str, Any] = {}
        #: True if the first process of the service runs it instead of this one.
        self.is_elsewhere = False

    async def start(self, memory: Memory, stack: AsyncExitStack, *, is_first: bool = True) -> None:
        """Builds the app and enters its lifespan, which `stack` exits. A failure is logged and does not affect other
        apps. `is_first`: False in a process beside the first of a service."""
        try:
            app = APPS.get(self.name).value(memory)
            if not is_first and not getattr(getattr(app, "state", None), "stateless", False):
                self.is_elsewhere = True
                return
            router = getattr(app, "router", None)
            lifespan = getattr(router, "lifespan_context", None)
            if lifespan is not None:
                self._state = dict(await stack.enter_async_context(lifespan(app)) or {})
            self._app = app
        except Exception as error:  # code of another package may raise anything
            get_logger().error("app cannot be mounted", app=self.name, path=self.path_format, reason=str(error))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the app; responds with a problem document if it has not started."""
        scope["route"] = self
        if self._app is not None:
            await self._app({**scope, "state": dict(self._state)}, receive, send)
        elif scope["type"] == "http":
            detail = f"the app '{self.name}' did not start; see the log of the service for the reason"
            problem = Problem.of(PLUGIN_BROKEN, detail, scope["path"])
            await JSONResponse(problem.document(), problem.status, media_type=MEDIA_TYPE)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1011})


def mount_apps(service: Starlette) -> list[MountedApp]:
    """Mounts the apps of all installed packages without importing them, and returns them."""
    mounted = [MountedApp(name) for name in APPS.names()]
    for app in mounted:
        service.mount(app.path_format, app, name=app.path_format)
    return mounted
