"""Memory for asyncio programs: every call runs in a thread and does not block the event loop."""

from pathlib import Path
from types import TracebackType
from typing import Self

import anyio.to_thread

from .in_threads import InThreads
from .memory import Memory
from .records.store import RecordStore
from .storage.database import DatabaseOptions

THREADS = 16


class AsyncRecordStore(InThreads[RecordStore]):
    """A `RecordStore` with asynchronous methods."""

    write = InThreads.method(RecordStore.write)
    get = InThreads.method(RecordStore.get)
    search = InThreads.method(RecordStore.search)
    namespaces = InThreads.method(RecordStore.namespaces)


class AsyncMemory(InThreads[Memory]):
    """A `Memory` with asynchronous methods, which have the parameters, results and errors of those of `Memory`.

    `async with await AsyncMemory.open("agent.db") as memory: …` opens and closes a memory; `AsyncMemory(memory)` wraps
    one that the caller closes. Methods without an asynchronous version can be called with `run`:
    `await memory.run(memory.memory.operations.reindex, "agent-7")`.
    """

    def __init__(self, memory: Memory, *, threads: int = THREADS) -> None:
        """`threads`: maximum number of concurrent calls; further ones wait."""
        super().__init__(memory, threads)
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
        return AsyncRecordStore(self.memory.records, self._threads)

    export = InThreads.iterator(Memory.export)
    aclose = InThreads.method(Memory.close)
    check = InThreads.method(Memory.check)
    store = InThreads.method(Memory.store)
    message = InThreads.method(Memory.message)
    recall = InThreads.method(Memory.recall)
    recall_images = InThreads.method(Memory.recall_images)
    context = InThreads.method(Memory.context)
    fold = InThreads.method(Memory.fold)
    record_model_calls = InThreads.method(Memory.record_model_calls)
    savings = InThreads.method(Memory.savings)
    fetch = InThreads.method(Memory.fetch)
    facts = InThreads.method(Memory.facts)
    pin_fact = InThreads.method(Memory.pin_fact)
    correct_fact = InThreads.method(Memory.correct_fact)
    dismiss_fact = InThreads.method(Memory.dismiss_fact)
    seal = InThreads.method(Memory.seal)
    age = InThreads.method(Memory.age)
    undo = InThreads.method(Memory.undo)
    tick = InThreads.method(Memory.tick)
    erase_message = InThreads.method(Memory.erase_message)
    erase_thread = InThreads.method(Memory.erase_thread)
    erase_bank = InThreads.method(Memory.erase_bank)
    pages = InThreads.method(Memory.pages)
    threads = InThreads.method(Memory.threads)
    page = InThreads.method(Memory.page)
    page_image = InThreads.method(Memory.page_image)
    page_tokens = InThreads.method(Memory.page_tokens)
    read_page = InThreads.method(Memory.read_page)
    preview_page = InThreads.method(Memory.preview_page)
    pin = InThreads.method(Memory.pin)
    banks = InThreads.method(Memory.banks)
    bank = InThreads.method(Memory.bank)
    policy = InThreads.method(Memory.policy)
    set_policy = InThreads.method(Memory.set_policy)
