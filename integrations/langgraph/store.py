"""`BaseStore` on a bank."""

from collections.abc import Iterable, Sequence
from typing import Self

from langgraph.store.base import BaseStore, Op, Result, TTLConfig

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing

from .operations import Operations


class FoxingStore(Closing, AsyncClosing, BaseStore):
    """LangGraph's store in a bank: items come back exactly, expire, and are found by conditions and by words.

        store = FoxingStore.connect("http://127.0.0.1:8765", bank="agent-7")
        graph = builder.compile(store=store)

    A search with a query returns the items that hold its words, the best first and with a score, and then further ones,
    the last stored first and without a score. Raises `FoxingError`, and LangGraph's `InvalidNamespaceError`.
    """

    supports_ttl = True

    def __init__(
        self, connection: Connection, *, fields: Sequence[str] | None = None, ttl: TTLConfig | None = None
    ) -> None:
        """`fields`: paths of the values that a query looks at, as in LangGraph's index configuration; default: all
        strings. `ttl`: of LangGraph; expired items are never returned, so that nothing has to sweep them."""
        #: The bank, for calls of other kinds.
        self.connection = connection
        self.ttl_config = ttl
        self._operations = Operations(connection.bank, None if fields is None else tuple(fields))

    @classmethod
    def connect(
        cls,
        target: Target,
        bank: str,
        *,
        api_key: str | None = None,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
    ) -> Self:
        """A store in the bank behind `target`: the address of a server, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank."""
        return cls(connect(target, bank, api_key=api_key), fields=fields, ttl=ttl)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The results of the operations, in their order. What they read is read before anything is written."""
        return run(self.connection, self._operations.results(list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same without blocking the event loop."""
        return await run_async(self.connection, self._operations.results(list(ops)))
