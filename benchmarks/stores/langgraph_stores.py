"""LangGraph stores: LangGraph's own on SQLite and PostgreSQL, and Foxing's."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.baselines.adapters import langgraph_index
from benchmarks.baselines.extensions import NotInstalled, sqlite_with_extensions
from benchmarks.baselines.system import with_speaker
from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

from .foxing_stores import database
from .store import Place, Store

NAMESPACE = "conversations"
#: Fields that are searched. Passed with each item too, because `SqliteStore` 3.1 ignores `fields` in its configuration.
INDEXED = ["text"]


class LangGraphStore:
    """Stores each message as an item of a `BaseStore`, each conversation in a namespace of its own."""

    def __init__(self, store: Any, put_op: Any, closing: ExitStack) -> None:
        """`put_op`: the class `PutOp`. `closing`: resources released with the store."""
        self._store, self._put_op, self._closing = store, put_op, closing

    def add(self, conversation: str, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Puts messages into the namespace of a conversation; returns their ids."""
        ids = [str(message.id) for message in messages]
        if len(messages) == 1:
            self._store.put((NAMESPACE, conversation), ids[0], _value(messages[0]), index=INDEXED)
        else:
            items = [(str(message.id), _value(message)) for message in messages]
            self._store.batch([self._put_op((NAMESPACE, conversation), *item, INDEXED) for item in items])
        return ids

    def finish(self) -> None:
        """Does nothing: items are searchable once they are stored."""
        pass

    def search(self, conversation: str, question: str, limit: int) -> Sequence[str]:
        """Returns the ids of the nearest messages, nearest first."""
        return [item.key for item in self._store.search((NAMESPACE, conversation), query=question, limit=limit)]

    def close(self) -> None:
        """Releases the store and its connections."""
        self._closing.close()


def open_foxing(place: Place, embedder: Embedder) -> Store:
    """Opens Foxing's store for LangGraph, which embeds with the memory's embedder."""
    put_op = _put_op()
    from foxing.integrations.langgraph import FoxingStore

    closing = ExitStack()
    memory = Memory(database(place), options=MemoryOptions(embedder=embedder))
    closing.callback(memory.close)
    store = FoxingStore.connect(memory, bank="langgraph", index=INDEXED)
    return LangGraphStore(store, put_op, closing)


def open_sqlite(place: Place, embedder: Embedder) -> Store:
    """Opens LangGraph's `SqliteStore` as its `from_conn_string` does. Raises `NotInstalled`."""
    put_op = _put_op()
    try:
        from langgraph.store.sqlite import SqliteStore
    except ImportError as error:
        raise NotInstalled(str(error)) from error
    path = str(place.folder / "langgraph.db")
    connection = sqlite_with_extensions().connect(path, check_same_thread=False, isolation_level=None)
    closing = ExitStack()
    closing.callback(connection.close)
    store = SqliteStore(connection, index=langgraph_index(embedder))
    store.setup()
    return LangGraphStore(store, put_op, closing)


def open_postgresql(place: Place, embedder: Embedder) -> Store:
    """Opens LangGraph's `PostgresStore`, which searches with pgvector. Raises `NotInstalled`."""
    put_op = _put_op()
    try:
        from langgraph.store.postgres import PostgresStore
    except ImportError as error:
        raise NotInstalled(str(error)) from error
    closing = ExitStack()
    store = closing.enter_context(PostgresStore.from_conn_string(place.url, index=langgraph_index(embedder)))
    store.setup()
    return LangGraphStore(store, put_op, closing)


def _put_op() -> Any:
    try:
        from langgraph.store.base import PutOp
    except ImportError as error:
        raise NotInstalled(str(error)) from error
    return PutOp


def _value(message: NewMessage) -> dict[str, str]:
    created_at = "" if message.created_at is None else message.created_at.isoformat()
    return {"text": with_speaker(message), "role": message.role, "created_at": created_at}
