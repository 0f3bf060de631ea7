"""A bank of a service, a database or an in-process memory behind one interface, on which the integrations are built.

A call is written once, as a method call on a memory, and runs on any kind of connection:

    connection = connect("http://127.0.0.1:8765", bank="agent-7")
    connection.run(lambda memory: memory.store(connection.bank, [{"role": "user", "content": "hello"}]))
    await connection.run_async(lambda memory: memory.recall(connection.bank, "hello"))
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from foxing.memory import InvalidInput

from .client import Client
from .requests import bank_path
from .transport import ServiceOptions, address_of

if TYPE_CHECKING:
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
        return Connection(target, bank)
    if api_key is not None:
        raise InvalidInput("an API key is only for a service; omit it for a database or a memory")
    if not isinstance(target, str | os.PathLike) and not (hasattr(target, "recall") and hasattr(target, "records")):
        kind = type(target).__name__
        raise InvalidInput(
            f"the target must be the URL of a service, the URL or path of a database, or a Memory, not a {kind}"
        )
    return Connection(target, bank)


def name_of(target: Target) -> str:
    """Returns a name of what holds a bank that is the same in the next process, and has no password."""
    if isinstance(target, ServiceOptions):
        return target.address
    address = os.fspath(target) if isinstance(target, str | os.PathLike) else str(target.operations.database_url)
    return address_of(address) if "://" in address else str(Path(address).resolve())


class Connection:
    """A bank of a service or of a memory. Safe to share between threads and event loops. Close it, or use it in a
    `with` or `async with` block."""

    def __init__(self, target: Target, bank: str) -> None:
        #: Name of the bank, for calls.
        self.bank = bank
        self._target = target
        self._lock = threading.Lock()
        #: The client of a service, or the memory of a database, which the first call opens.
        self._opened: Memory | Client | None = None

    @property
    def name(self) -> str:
        """Name of the service or memory; see `name_of`."""
        return name_of(self._target)

    def run(self, call: Call[R]) -> R:
        """Runs a call and returns its result. Raises the errors of the call."""
        return call(self._memory())

    async def run_async(self, call: Call[R]) -> R:
        """Runs a call in a thread, without blocking the event loop, and returns its result. A call that is cancelled
        runs on. Raises the errors of the call."""
        import anyio.to_thread

        return await anyio.to_thread.run_sync(self.run, call, abandon_on_cancel=True)

    def close(self) -> None:
        """Closes the HTTP client or the memory of this connection. A `Memory` passed by the caller stays open."""
        with self._lock:
            opened = self._opened
            self._opened = None
        if opened is not None:
            opened.close()

    async def aclose(self) -> None:
        """Closes it without blocking the event loop; see `close`."""
        import anyio.to_thread

        await anyio.to_thread.run_sync(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _memory(self) -> "Memory | Client":
        target = self._target
        if not isinstance(target, str | os.PathLike | ServiceOptions):
            return target
        with self._lock:
            if self._opened is None:
                self._opened = _open(target)
            return self._opened


def _open(target: "str | os.PathLike[str] | ServiceOptions") -> "Memory | Client":
    if isinstance(target, ServiceOptions):
        return Client(target)
    from foxing.memory import Memory

    return Memory(os.fspath(target))
