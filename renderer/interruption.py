"""Interruption of long work between its parts, such as the pages of a batch that is being encoded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


class Interrupted(BaseException):
    """The work in progress is to end. What is complete is kept; not an error, which would be handled on the way."""


def _never() -> bool:
    return False


_is_over: ContextVar[Callable[[], bool]] = ContextVar("is_over", default=_never)


@contextmanager
def interruptible(is_over: Callable[[], bool]) -> Iterator[None]:
    """Has `check_interruption` raise in the block once `is_over` returns True."""
    token = _is_over.set(is_over)
    try:
        yield
    finally:
        _is_over.reset(token)


def check_interruption() -> None:
    """Raises `Interrupted` if the work of this thread is to end."""
    if _is_over.get()():
        raise Interrupted


def collect(results: Iterator[T]) -> list[T]:
    """Returns the results of `Executor.map`. If the work is interrupted, cancels the calls that have not begun and
    raises `Interrupted`."""
    collected: list[T] = []
    try:
        for result in results:
            if collected:  # a single part is completed
                check_interruption()
            collected.append(result)
    finally:
        results.close()  # type: ignore[attr-defined]
    return collected
