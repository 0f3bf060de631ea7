"""`BaseStore` over the records of a bank."""

from collections.abc import Iterable, Sequence
from typing import Self

from langgraph.store.base import BaseStore, Op, Result, TTLConfig

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing

from .operations import Operations


class FoxingStore(Closing, AsyncClosing, BaseStore):
    """A LangGraph store in a bank: items are stored exactly, can expire, and can be searched by filters and words.

        store = FoxingStore.connect("http://127.0.0.1:8765", bank="agent-7")
        graph = builder.compile(store=store)

    A search with a query returns the items that contain its words, best first with a score, followed by other items,
    newest first without a score. Raises `FoxingError`, and LangGraph's `InvalidNamespaceError`.
    """

    supports_ttl = True

    def __init__(
        self, connection: Connection, *, fields: Sequence[str] | None = None, ttl: TTLConfig | None = None
    ) -> None:
        """`fields`: paths of the values that queries search, as in LangGraph's index configuration; default: all
        strings. `ttl`: LangGraph's TTL configuration. Expired items are never returned, so no sweeper is needed."""
        #: Connection to the bank, for other calls.
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
        """Returns a store in a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank."""
        return cls(connect(target, bank, api_key=api_key), fields=fields, ttl=ttl)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Executes operations and returns their results in order. Reads run before writes."""
        return run(self.connection, self._operations.results(list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Executes operations without blocking the event loop; see `batch`."""
        return await run_async(self.connection, self._operations.results(list(ops)))
