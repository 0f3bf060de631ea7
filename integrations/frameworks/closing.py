"""What an adapter opened, closed with it."""

from types import TracebackType
from typing import Self

from foxing.integrations.client import Connection


class Closing:
    """An adapter that holds a connection; close it, or use it in a `with` block."""

    connection: Connection

    def close(self) -> None:
        """Closes what was opened for it; a `Memory` that was given stays open."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClosing:
    """The same for an `async with` block."""

    connection: Connection

    async def aclose(self) -> None:
        """Closes what was opened for it on this event loop; a `Memory` that was given stays open."""
        await self.connection.close_async()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
