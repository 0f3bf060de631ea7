"""Mixins for adapters that own a connection."""

from typing import Self

from foxing.integrations.client import Connection


class Closing:
    """Mixin of adapters with a connection: `close` and the `with` statement."""

    connection: Connection

    def close(self) -> None:
        """Closes the connection. A `Memory` passed by the caller stays open."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClosing:
    """Mixin of adapters with a connection: `aclose` and the `async with` statement."""

    connection: Connection

    async def aclose(self) -> None:
        """Closes the connection on this event loop. A `Memory` passed by the caller stays open."""
        await self.connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
