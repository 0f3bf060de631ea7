"""One bank behind a server's address, a database or a memory: the seam that agent frameworks stand on.

A framework says what it wants once, as a call of a memory, and runs it on whatever it is connected to:

    connection = connect("http://127.0.0.1:8000", bank="agent-7")
    connection.run(lambda memory: memory.store(connection.bank, [{"role": "user", "content": "hello"}]))
    await connection.run_async(lambda memory: memory.recall(connection.bank, "hello"))
"""

import os
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

from foxing.memory.errors import InvalidInput

from .async_client import AsyncClient
from .client import Client
from .requests import bank_path
from .transport import ServiceOptions

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from foxing.memory import Memory

R = TypeVar("R")

#: What a connection runs: calls one method of a memory in process or of a client, which have the same methods.
Call: TypeAlias = Callable[["Memory | Client"], R]
#: A server's address with its options or without, a database's URL or path, or a memory.
Target: TypeAlias = "str | os.PathLike[str] | ServiceOptions | Memory"


def connect(target: Target, bank: str, *, api_key: str | None = None) -> "Connection":
    """A bank behind `target`: the address of a server ("http://…"), with the `api_key` that it asks for; the URL or the
    path of a database; or a `Memory`, which the caller closes. Nothing is opened before the first call.

    Raises `InvalidInput` for what is neither, and for an invalid name of a bank.
    """
    bank_path(bank)
    if isinstance(target, str) and target.startswith(("http://", "https://")):
        target = ServiceOptions(target, api_key)
    if isinstance(target, ServiceOptions):
        return Connection(_OverHttp(target), bank)
    if api_key is not None:
        raise InvalidInput("an API key is for a server; leave it out for a database or a memory")
    if isinstance(target, str | os.PathLike):
        return Connection(_InProcess(os.fspath(target)), bank)
    if not (hasattr(target, "recall") and hasattr(target, "records")):
        kind = type(target).__name__
        raise InvalidInput(f"give the address of a server, the URL or path of a database, or a Memory, not a {kind}")
    return Connection(_InProcess(target), bank)


class Connection:
    """A bank, and what answers calls about it. Safe to share between threads and event loops; close it, or use it in a
    `with` or `async with` block."""

    def __init__(self, way: "_OverHttp | _InProcess", bank: str) -> None:
        #: Name of the bank, for calls.
        self.bank = bank
        self._way = way

    def run(self, call: Call[R]) -> R:
        """The answer to a call. Raises what it raises."""
        return self._way.run(call)

    async def run_async(self, call: Call[R]) -> R:
        """The same without blocking the event loop."""
        return await self._way.run_async(call)

    def close(self) -> None:
        """Closes what was opened for this connection; a `Memory` that was given stays open."""
        self._way.close()

    async def close_async(self) -> None:
        """The same, with the connections that belong to this event loop."""
        await self._way.close_async()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close_async()


class _OverHttp:
    """A server. Connections of httpx belong to an event loop, so that there is a client for each."""

    def __init__(self, options: ServiceOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._clients: WeakKeyDictionary[AbstractEventLoop, AsyncClient] = WeakKeyDictionary()

    def run(self, call: Call[R]) -> R:
        with self._lock:
            if self._client is None:
                self._client = Client(self._options)
            client = self._client
        return call(client)

    async def run_async(self, call: Call[R]) -> R:
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            client = self._clients.get(loop)
            if client is None:
                client = self._clients[loop] = AsyncClient(self._options)
        # the methods of both clients are the same, and this one's are awaited
        return await cast("Awaitable[R]", call(cast(Client, client)))

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def close_async(self) -> None:
        import asyncio

        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()
        self.close()


class _InProcess:
    """A memory in this process; torch and the database are imported with the first call."""

    def __init__(self, target: "str | Memory") -> None:
        self._database = target if isinstance(target, str) else None
        self._memory: Memory | None = None if isinstance(target, str) else target
        self._lock = threading.Lock()

    def run(self, call: Call[R]) -> R:
        return call(self._opened())

    async def run_async(self, call: Call[R]) -> R:
        import asyncio

        return await asyncio.to_thread(self.run, call)

    def _opened(self) -> "Memory":
        with self._lock:
            if self._memory is None:
                from foxing.memory import Memory

                self._memory = Memory(self._database)
            return self._memory

    def close(self) -> None:
        with self._lock:
            memory = self._memory
            if self._database is not None:
                self._memory = None
        if memory is not None and self._database is not None:
            memory.close()

    async def close_async(self) -> None:
        import asyncio

        await asyncio.to_thread(self.close)
