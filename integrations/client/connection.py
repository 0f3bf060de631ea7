"""A bank of a service, a database or an in-process memory behind one interface, on which the integrations are built.

A call is written once, as a method call on a memory, and runs on any kind of connection:

    connection = connect("http://127.0.0.1:8765", bank="agent-7")
    connection.run(lambda memory: memory.store(connection.bank, [{"role": "user", "content": "hello"}]))
    await connection.run_async(lambda memory: memory.recall(connection.bank, "hello"))
"""

import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

from foxing.memory import InvalidInput

from .async_client import AsyncClient
from .client import Client
from .requests import bank_path
from .transport import ServiceOptions, address_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from foxing.memory import Memory

R = TypeVar("R")

#: A function that calls one method of a `Memory` or a `Client`, which have the same methods.
Call: TypeAlias = Callable[["Memory | Client"], R]
#: URL or options of a service, URL or path of a database, or a memory.
Target: TypeAlias = "str | os.PathLike[str] | ServiceOptions | Memory"


def connect(target: Target, bank: str, *, api_key: str | None = None) -> "Connection":
    """Returns a connection to a bank of `target`: the URL of a service ("http://…"), with its `api_key`; the URL or
    path of a database; or a `Memory`, which the caller closes. Nothing is opened before the first call.

    Raises `InvalidInput` for an invalid target or name of a bank.
    """
    bank_path(bank)
    if isinstance(target, str) and target.startswith(("http://", "https://")):
        target = ServiceOptions(target, api_key)
    if isinstance(target, ServiceOptions):
        return Connection(_OverHttp(target), bank, target)
    if api_key is not None:
        raise InvalidInput("an API key is only for a service; omit it for a database or a memory")
    if isinstance(target, str | os.PathLike):
        return Connection(_InProcess(os.fspath(target)), bank, target)
    if not (hasattr(target, "recall") and hasattr(target, "records")):
        kind = type(target).__name__
        raise InvalidInput(
            f"the target must be the URL of a service, the URL or path of a database, or a Memory, not a {kind}"
        )
    return Connection(_InProcess(target), bank, target)


def name_of(target: Target) -> str:
    """Returns a name of what holds a bank that is the same in the next process, and has no password."""
    if isinstance(target, ServiceOptions):
        return target.address
    given = os.fspath(target) if isinstance(target, str | os.PathLike) else str(target.operations.database_url)
    return address_of(given) if "://" in given else str(Path(given).resolve())


class Connection:
    """A bank of a service or of a memory. Safe to share between threads and event loops. Close it, or use it in a
    `with` or `async with` block."""

    def __init__(self, backend: "_OverHttp | _InProcess", bank: str, target: Target) -> None:
        #: Name of the bank, for calls.
        self.bank = bank
        self._target = target
        self._backend = backend

    @property
    def name(self) -> str:
        """Name of the service or memory; see `name_of`."""
        return name_of(self._target)

    def run(self, call: Call[R]) -> R:
        """Runs a call and returns its result. Raises the errors of the call."""
        return self._backend.run(call)

    async def run_async(self, call: Call[R]) -> R:
        """Runs a call without blocking the event loop and returns its result. Raises the errors of the call."""
        return await self._backend.run_async(call)

    def close(self) -> None:
        """Closes the HTTP client or the memory of this connection. A `Memory` passed by the caller stays open."""
        self._backend.close()

    async def aclose(self) -> None:
        """Like `close`, and also closes the HTTP client of this event loop."""
        await self._backend.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _OverHttp:
    """A service. Connections of httpx belong to an event loop, so there is one client per loop."""

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
        # both clients have the same methods; those of this one are awaited
        return await cast("Awaitable[R]", call(cast(Client, client)))

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        import asyncio

        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
        self.close()


class _InProcess:
    """A memory in this process, which is imported and opened by the first call."""

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

    async def aclose(self) -> None:
        import asyncio

        await asyncio.to_thread(self.close)
