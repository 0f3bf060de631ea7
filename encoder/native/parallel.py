"""Thread pools that run one page or stream per thread.

By default the linear algebra libraries split every matrix product over their own threads, which busy-wait for each
other: on a loaded machine, hundreds of small products then take seconds. Here each thread processes its own part, and
products are not split.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Condition
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from foxing.renderer.interruption import collect
from foxing.renderer.processors import usable_processors

WORKERS = min(8, usable_processors())
YIELD_S = 0.5  # maximum time for which encoding a page waits for decoding calls

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


def map_parallel(
    work: Callable[[_Part], _Result], parts: Sequence[_Part], *, deferrable: bool = False
) -> list[_Result]:
    """Returns `work(part)` for each part, in order, with one thread per core. `work` must not call `map_parallel`
    itself.

    `deferrable`: each part waits up to `YIELD_S` until no call that is not deferrable is in progress. Recalls wait for
    decoding, whereas encoding runs in the background, and can be interrupted between parts.
    """
    if deferrable:
        return collect(_workers("encode").map(lambda part: _deferred(work, part), parts))
    with _in_progress().counted():
        return list(_workers("decode").map(work, parts))


def _deferred(work: Callable[[_Part], _Result], part: _Part) -> _Result:
    _in_progress().wait(YIELD_S)
    return work(part)


class _InProgress:
    """Counter of the calls in progress that are not deferrable."""

    def __init__(self) -> None:
        self._calls = 0
        self._ended = Condition()

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._ended:
            self._calls += 1
        try:
            yield
        finally:
            with self._ended:
                self._calls -= 1
                self._ended.notify_all()

    def wait(self, seconds: float) -> None:
        """Waits until no such call is in progress, for at most `seconds`."""
        with self._ended:
            self._ended.wait_for(lambda: not self._calls, seconds)


@cache
def _in_progress() -> _InProgress:
    return _InProgress()


@cache
def _workers(purpose: str) -> ThreadPoolExecutor:
    initializer = _use_one_thread if purpose == "encode" else None  # decoding has no matrix products
    return ThreadPoolExecutor(WORKERS, f"foxing-{purpose}", initializer=initializer)


def _use_one_thread() -> None:
    """Disables splitting of products in this thread. The OpenMP limit is per thread, so others are unaffected."""
    import torch

    torch.get_num_threads()  # torch sets up the thread on first use, which would later override the limit
    _openmp().limit(limits=1)


@cache
def _openmp() -> Any:
    return ThreadpoolController().select(user_api="openmp")


for cached in (_in_progress, _workers):  # threads do not survive a fork
    os.register_at_fork(after_in_child=cached.cache_clear)
