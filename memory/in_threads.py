"""Asynchronous versions of methods: each call runs in a worker thread and does not block the event loop."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    import anyio

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_END: Final = object()


class InThreads(Generic[T]):
    """Calls methods of a `T` in worker threads, at most `threads` at once; further calls wait."""

    #: True to let a call that is cancelled run on while its caller continues.
    abandons = False

    def __init__(self, target: T, threads: "int | anyio.CapacityLimiter") -> None:
        self._target = target
        self._threads = threads

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of `call`, run in a worker thread. Raises what it raises."""
        import anyio
        import anyio.to_thread

        if isinstance(self._threads, int):
            self._threads = anyio.CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(
            lambda: call(*args, **kwargs), limiter=self._threads, abandon_on_cancel=self.abandons
        )

    @staticmethod
    def method(
        method: Callable[Concatenate[T, P], R],
    ) -> "Callable[Concatenate[InThreads[T], P], Coroutine[Any, Any, R]]":
        """Returns the asynchronous version of a method of `T`."""

        @wraps(method)
        async def call(self: InThreads[T], /, *args: P.args, **kwargs: P.kwargs) -> R:
            return await self.run(method, self._target, *args, **kwargs)

        return call

    @staticmethod
    def iterator(
        method: Callable[Concatenate[T, P], Iterator[R]],
    ) -> "Callable[Concatenate[InThreads[T], P], AsyncIterator[R]]":
        """Returns the asynchronous version of a method of `T` that returns an iterator."""

        @wraps(method)
        async def call(self: InThreads[T], /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
            items: Iterator[Any] = await self.run(method, self._target, *args, **kwargs)
            while (item := await self.run(next, items, _END)) is not _END:
                yield cast(R, item)

        return call
