"""A memory in process for asynchronous programs: every call runs in a thread, so that the event loop goes on."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack

if TYPE_CHECKING:
    import anyio

    from foxing.memory import (
        AgeReport,
        BankInfo,
        Banks,
        ContextRequest,
        ContextResult,
        ErasureReport,
        Memory,
        NewMessage,
        PageInfo,
        PageReading,
        Pages,
        Policy,
        RecalledImages,
        RecalledMessage,
        RecallQuery,
        RecallResult,
        SealReport,
        StoreResult,
        UndoReport,
    )
    from foxing.memory.records.store import RecordStore
    from foxing.memory.values.recall import ImageQueryFields, TextQueryFields

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 16


class AsyncMemory:
    """A `Memory` whose methods are awaited. They take, return and raise what those of `Memory` do.

    `async with await AsyncMemory.open("agent.db") as memory: …` opens and closes one; `AsyncMemory(memory)` wraps one
    that the caller closes.
    """

    def __init__(self, memory: "Memory", *, threads: int = THREADS) -> None:
        """`threads`: calls at once; further ones wait."""
        #: The memory itself, for calls that do not wait.
        self.memory = memory
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    @classmethod
    async def open(cls, database: str | PathLike[str] | None = None, *, threads: int = THREADS) -> Self:
        """Opens a database by URL or path, in a thread: the first call imports much. Raises as `Memory` does."""

        import anyio.to_thread

        def opened() -> "Memory":
            from pathlib import Path

            from foxing.memory import Memory

            return Memory(database if database is None or isinstance(database, str) else Path(database))

        return cls(await anyio.to_thread.run_sync(opened), threads=threads)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the memory."""
        await self.run(self.memory.close)

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of any call, made in a thread: `await memory.run(memory.memory.reindex, "agent-7")`."""
        import anyio.to_thread

        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs), limiter=self._limiter)

    async def store(
        self,
        bank: str,
        messages: "Iterable[NewMessage | Mapping[str, Any]]",
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
    ) -> "StoreResult":
        """See `Memory.store`."""
        return await self.run(self.memory.store, bank, messages, thread=thread, idempotency_key=idempotency_key)

    async def message(self, bank: str, message_id: str) -> "RecalledMessage":
        """See `Memory.message`."""
        return await self.run(self.memory.message, bank, message_id)

    async def export(self, bank: str) -> "AsyncIterator[RecalledMessage]":
        """See `Memory.export`."""
        cursor: str | None = None
        while True:
            part = await self.recall(bank, limit=500, cursor=cursor)
            for span in part.spans:
                yield span
            cursor = part.next_cursor
            if cursor is None:
                return

    async def recall(
        self, bank: str, query: "str | RecallQuery | None" = None, **fields: "Unpack[TextQueryFields]"
    ) -> "RecallResult":
        """See `Memory.recall`."""
        return await self.run(lambda: self.memory.recall(bank, query, **fields))

    async def recall_images(
        self, bank: str, query: "str | RecallQuery | None" = None, **fields: "Unpack[ImageQueryFields]"
    ) -> "RecalledImages":
        """See `Memory.recall_images`."""
        return await self.run(lambda: self.memory.recall_images(bank, query, **fields))

    async def context(self, bank: str, request: "ContextRequest") -> "ContextResult":
        """See `Memory.context`."""
        return await self.run(self.memory.context, bank, request)

    async def seal(self, bank: str, *, now: str | datetime | None = None, timezone: str | None = None) -> "SealReport":
        """See `Memory.seal`."""
        return await self.run(self.memory.seal, bank, now=now, timezone=timezone)

    async def age(
        self, bank: str, *, now: str | datetime | None = None, timezone: str | None = None, dry_run: bool = False
    ) -> "AgeReport":
        """See `Memory.age`."""
        return await self.run(self.memory.age, bank, now=now, timezone=timezone, dry_run=dry_run)

    async def undo(
        self,
        bank: str,
        *,
        since: str | datetime | None = None,
        page: str | None = None,
        now: str | datetime | None = None,
        timezone: str | None = None,
    ) -> "UndoReport":
        """See `Memory.undo`."""
        return await self.run(self.memory.undo, bank, since=since, page=page, now=now, timezone=timezone)

    async def erase_message(self, bank: str, message_id: str) -> "ErasureReport":
        """See `Memory.erase_message`."""
        return await self.run(self.memory.erase_message, bank, message_id)

    async def erase_thread(self, bank: str, thread: str) -> "ErasureReport":
        """See `Memory.erase_thread`."""
        return await self.run(self.memory.erase_thread, bank, thread)

    async def erase_bank(self, bank: str) -> "ErasureReport":
        """See `Memory.erase_bank`."""
        return await self.run(self.memory.erase_bank, bank)

    async def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: str | None = None) -> "Pages":
        """See `Memory.pages`."""
        return await self.run(self.memory.pages, bank, limit=limit, cursor=cursor, tier=tier)

    async def page(self, bank: str, page_id: str) -> "PageInfo":
        """See `Memory.page`."""
        return await self.run(self.memory.page, bank, page_id)

    async def page_image(self, bank: str, page_id: str, tier: str | None = None) -> bytes:
        """See `Memory.page_image`."""
        return await self.run(self.memory.page_image, bank, page_id, tier)

    async def read_page(self, bank: str, page_id: str, tier: str | None = None) -> "PageReading":
        """See `Memory.read_page`."""
        return await self.run(self.memory.read_page, bank, page_id, tier)

    async def pin(self, bank: str, page_id: str) -> "PageInfo":
        """See `Memory.pin`."""
        return await self.run(self.memory.pin, bank, page_id)

    async def unpin(self, bank: str, page_id: str) -> "PageInfo":
        """See `Memory.unpin`."""
        return await self.run(self.memory.unpin, bank, page_id)

    async def banks(self, *, limit: int = 50, cursor: str | None = None) -> "Banks":
        """See `Memory.banks`."""
        return await self.run(self.memory.banks, limit=limit, cursor=cursor)

    async def bank(self, bank: str) -> "BankInfo":
        """See `Memory.bank`."""
        return await self.run(self.memory.bank, bank)

    async def policy(self, bank: str) -> "Policy":
        """See `Memory.policy`."""
        return await self.run(self.memory.policy, bank)

    async def set_policy(self, bank: str, policy: "Policy | Mapping[str, Any]") -> "Policy":
        """See `Memory.set_policy`."""
        return await self.run(self.memory.set_policy, bank, policy)

    @property
    def records(self) -> "RecordStore":
        """Values that come back exactly; call its methods through `run`."""
        return self.memory.records
