"""Event loop for requests, in a daemon thread, which does not delay process exit."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Thread

from foxing.renderer.processors import usable_processors


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Returns the running event loop of this process."""
    loop = asyncio.new_event_loop()
    # The default has a thread for each processor of the machine, and what runs in them computes.
    loop.set_default_executor(ThreadPoolExecutor(usable_processors(), "foxing-remote"))
    Thread(target=loop.run_forever, name="foxing-remote", daemon=True).start()
    return loop


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=event_loop.cache_clear)
