"""Thread pool that runs one page or stream per thread.

By default the arithmetic libraries split every product over threads of their own, which busy-wait for each other:
on a loaded machine, hundreds of small products then take seconds. Here each thread has its own part of the work, and
its products are not split.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import torch
from threadpoolctl import ThreadpoolController

WORKERS = min(8, os.cpu_count() or 1)

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


def map_parallel(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
    """`work(part)` for each part, in order, one thread per core. `work` must not call `map_parallel` itself."""
    return list(_workers().map(work, parts))


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "foxing-codec", initializer=_use_one_thread)


def _use_one_thread() -> None:
    """Stops splitting the products of this thread. OpenMP keeps the limit per thread, so others are unaffected."""
    torch.get_num_threads()  # makes torch set up this thread now; later it would override the limit
    _openmp().limit(limits=1)


@cache
def _openmp() -> Any:
    return ThreadpoolController().select(user_api="openmp")


os.register_at_fork(after_in_child=_workers.cache_clear)  # threads do not survive a fork
