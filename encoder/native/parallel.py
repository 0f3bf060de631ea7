"""Threads that share out pages and streams: each computes by itself.

The arithmetic libraries split every product among threads of their own, which wait for one another busily: hundreds of
small products on a machine that has other work then take seconds. Here a thread has its own part of the work, and its
products are not split.
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


def shared_out(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
    """`work` of each part, on threads of which there is one for each core. `work` must not share out in turn."""
    return list(_workers().map(work, parts))


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "foxing-codec", initializer=_compute_alone)


def _compute_alone() -> None:
    """Products of this thread are not split. OpenMP counts threads by thread, so that others go on as they were."""
    torch.get_num_threads()  # sets what torch wants for a new thread, and would otherwise do so later
    _openmp().limit(limits=1)


@cache
def _openmp() -> Any:
    return ThreadpoolController().select(user_api="openmp")


os.register_at_fork(after_in_child=_workers.cache_clear)  # threads do not come along
