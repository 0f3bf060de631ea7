"""Pages that are not ready at once: until they are, a page that asks for them again is shown."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, TypeAlias
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from foxing.memory import Access

from .rendering import ConsolePage

#: Seconds after which a page that is not ready says so.
PATIENCE_S = 0.12
#: Pages in the making or not yet fetched, the newest.
HELD = 50
#: Seconds for which a page that is ready is held. It shows what was remembered when it was asked for.
HELD_S = 10.0

Answer: TypeAlias = ConsolePage | Response


class PendingPages:
    """Pages in the making, by their address and the access of who asks. Each is made once however often it is asked
    for, and given once."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, asyncio.Task[Answer]] = OrderedDict()

    async def page(self, request: Request, view: Coroutine[Any, Any, Answer]) -> Answer:
        """Returns the page that `view` makes, or one that asks for it again. Raises the errors of `view`."""
        part = request.headers.get("hx-request") == "true"
        address = quote(request.url.path, safe="/:@") + (f"?{request.url.query}" if request.url.query else "")
        key = f"{address} {part} {Access.current()}"
        task = self._tasks.get(key)
        if task is None:
            task = self._start(key, view)
        else:
            view.close()
        await asyncio.wait({task}, timeout=PATIENCE_S)
        if not task.done():
            return ConsolePage("pending_part.html" if part else "pending.html", {"again": address})
        self._drop(key, task)
        return task.result()

    def discard(self) -> None:
        """Discards all pages, which show what was remembered before a change."""
        self._tasks.clear()

    def _start(self, key: str, view: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        loop = asyncio.get_running_loop()
        task = self._tasks[key] = loop.create_task(view)

        def hold(done: asyncio.Task[Answer]) -> None:
            if not done.cancelled():
                done.exception()  # else it is reported as one that nobody has seen
            loop.call_later(HELD_S, self._drop, key, done)

        task.add_done_callback(hold)
        while len(self._tasks) > HELD:
            self._tasks.popitem(last=False)
        return task

    def _drop(self, key: str, task: asyncio.Task[Answer]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
