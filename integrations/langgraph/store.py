"""`BaseStore` over the records of a bank."""

from collections.abc import Iterable, Mapping
from typing import Self

from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, Op, Result, TTLConfig, validate_op_namespace

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing

from .index import Index, StoreIndex
from .operations import StoreOperations


class FoxingStore(Closing, AsyncClosing, BaseStore):
    """A LangGraph store in a bank: items are stored exactly, can expire, and are found by filters and by meaning.

        store = FoxingStore.connect("http://127.0.0.1:8765", bank="agent-7")
        graph = builder.compile(store=store)

    A search with a query returns the items that were indexed, best first with a score, followed by other items, newest
    first without a score. Raises `FoxingError`, and LangGraph's `InvalidNamespaceError`.
    """

    supports_ttl = True

    def __init__(self, connection: Connection, *, index: Index = None, ttl: TTLConfig | None = None) -> None:
        """`index`: what queries search unless `put` says otherwise: paths of the values, False for nothing, or
        LangGraph's index configuration, with an embedder of your own in `embed`. Default: all strings, with the
        memory's embedder. `ttl`: LangGraph's TTL configuration. Expired items are never returned, so no sweeper is
        needed. Raises `InvalidInput` for an invalid `index`."""
        #: Connection to the bank, for other calls.
        self.connection = connection
        self.ttl_config = ttl
        #: The index configuration, as it was given; None unless it is a mapping.
        self.index_config = index if isinstance(index, Mapping) else None
        self._index = StoreIndex(index)
        self._operations = StoreOperations(connection.bank, self._index)

    @classmethod
    def connect(
        cls,
        target: Target,
        bank: str,
        *,
        api_key: str | None = None,
        index: Index = None,
        ttl: TTLConfig | None = None,
    ) -> Self:
        """Returns a store in a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or index."""
        return cls(connect(target, bank, api_key=api_key), index=index, ttl=ttl)

    @property
    def embeddings(self) -> Embeddings | None:
        """The embedder of the index configuration; None for that of the memory."""
        return self._index.embeddings

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Executes operations and returns their results in order. Reads run before writes."""
        operations = _validated(ops)
        return run(self.connection, self._operations.results(operations, self._index.embed(operations)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Executes operations without blocking the event loop; see `batch`."""
        operations = _validated(ops)
        return await run_async(
            self.connection, self._operations.results(operations, await self._index.aembed(operations))
        )


def _validated(ops: Iterable[Op]) -> list[Op]:
    operations = list(ops)
    for op in operations:
        validate_op_namespace(op)
    return operations
