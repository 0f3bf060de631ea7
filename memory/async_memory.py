"""Memory for asyncio programs: every call runs in a thread and does not block the event loop."""

from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import anyio
import anyio.to_thread

from .memory import Memory
from .records.store import RecordStore
from .storage.database import DatabaseOptions
from .values.messages import RecalledMessage

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

THREADS = 16


class _InThreads(Generic[T]):
    """Calls methods of a `T` in worker threads."""

    def __init__(self, target: T, limiter: anyio.CapacityLimiter) -> None:
        self._target = target
        self._limiter = limiter

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of `call`, run in a worker thread. Raises what it raises."""
        return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs), limiter=self._limiter)


def _threaded(
    method: Callable[Concatenate[T, P], R],
) -> Callable[Concatenate[_InThreads[T], P], Coroutine[Any, Any, R]]:
    """Returns an asynchronous version of `method`."""

    @wraps(method)
    async def call(self: _InThreads[T], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.run(method, self._target, *args, **kwargs)

    return call


class AsyncRecordStore(_InThreads[RecordStore]):
    """A `RecordStore` with asynchronous methods."""

    write = _threaded(RecordStore.write)
    get = _threaded(RecordStore.get)
    search = _threaded(RecordStore.search)
    namespaces = _threaded(RecordStore.namespaces)


class AsyncMemory(_InThreads[Memory]):
    """A `Memory` with asynchronous methods, which have the parameters, results and errors of those of `Memory`.

    `async with await AsyncMemory.open("agent.db") as memory: …` opens and closes a memory; `AsyncMemory(memory)` wraps
    one that the caller closes. Methods without an asynchronous version can be called with `run`:
    `await memory.run(memory.memory.operations.reindex, "agent-7")`.
    """

    def __init__(self, memory: Memory, *, threads: int = THREADS) -> None:
        """`threads`: maximum number of concurrent calls; further ones wait."""
        super().__init__(memory, anyio.CapacityLimiter(threads))
        #: The wrapped memory, for calls that do not block.
        self.memory = memory

    @classmethod
    async def open(cls, database: str | Path | DatabaseOptions | None = None, *, threads: int = THREADS) -> Self:
        """Opens a database in a worker thread, and returns its memory. Raises the errors of `Memory`."""
        return cls(await anyio.to_thread.run_sync(Memory, database), threads=threads)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def records(self) -> AsyncRecordStore:
        """Key-value records of agent frameworks, see `Memory.records`."""
        return AsyncRecordStore(self.memory.records, self._limiter)

    async def export(self, bank: str) -> AsyncIterator[RecalledMessage]:
        """See `Memory.export`."""
        cursor: str | None = None
        while True:
            part = await self.recall(bank, limit=500, cursor=cursor)
            for span in part.spans:
                yield span
            cursor = part.next_cursor
            if cursor is None:
                return

    aclose = _threaded(Memory.close)
    check = _threaded(Memory.check)
    store = _threaded(Memory.store)
    message = _threaded(Memory.message)
    recall = _threaded(Memory.recall)
    recall_images = _threaded(Memory.recall_images)
    context = _threaded(Memory.context)
    fold = _threaded(Memory.fold)
    record_model_calls = _threaded(Memory.record_model_calls)
    savings = _threaded(Memory.savings)
    fetch = _threaded(Memory.fetch)
    seal = _threaded(Memory.seal)
    age = _threaded(Memory.age)
    undo = _threaded(Memory.undo)
    tick = _threaded(Memory.tick)
    erase_message = _threaded(Memory.erase_message)
    erase_thread = _threaded(Memory.erase_thread)
    erase_bank = _threaded(Memory.erase_bank)
    pages = _threaded(Memory.pages)
    threads = _threaded(Memory.threads)
    page = _threaded(Memory.page)
    page_image = _threaded(Memory.page_image)
    page_tokens = _threaded(Memory.page_tokens)
    read_page = _threaded(Memory.read_page)
    preview_page = _threaded(Memory.preview_page)
    pin = _threaded(Memory.pin)
    banks = _threaded(Memory.banks)
    bank = _threaded(Memory.bank)
    policy = _threaded(Memory.policy)
    set_policy = _threaded(Memory.set_policy)
