"""The event loop of requests, in a thread that no process waits for when it exits."""

import asyncio
import os
from functools import cache
from threading import Thread


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """The loop of this process, running."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="foxing-remote", daemon=True).start()
    return loop


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=event_loop.cache_clear)
