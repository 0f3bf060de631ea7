"""Threads for the packing of vision tokens, which splits its work itself.

The matrix products of numpy have threads of their own that wait for one another busily: hundreds of small products on a
machine that has other work then take seconds. While packing runs, each product has one thread.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

WORKERS = min(8, os.cpu_count() or 1)

_lock = Lock()
_inside = 0
_limit: Any = None


@cache
def workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "foxing-packing")


@cache
def _products() -> Any:
    return ThreadpoolController().select(internal_api=["openblas", "blis"])


@contextmanager
def single_products() -> Iterator[None]:
    """Products of numpy have one thread until the last that is inside has left."""
    global _inside, _limit
    with _lock:
        if _inside == 0:
            _limit = _products().limit(limits=1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()


os.register_at_fork(after_in_child=workers.cache_clear)  # threads do not come along
