"""mem0 with `infer=False`, in Qdrant's files and in PostgreSQL, and Chroma."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.baselines.adapters import import_mem0, open_mem0
from benchmarks.baselines.extensions import NotInstalled
from benchmarks.baselines.system import with_speaker
from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

from .store import Place, Store

COLLECTION = "conversations"


class Mem0Store:
    """Stores each message unchanged as a memory, each conversation as a user. mem0 accepts one time per call, so that
    only messages stored one by one keep theirs."""

    def __init__(self, memory: Any, closing: ExitStack) -> None:
        """`closing`: resources released with the memory."""
        self._memory, self._closing = memory, closing

    def add(self, conversation: str, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Adds messages for the user of a conversation; returns their ids."""
        turns = [{"role": message.role, "content": with_speaker(message)} for message in messages]
        metadata = {"created_at": _time(messages[0])} if len(messages) == 1 else None
        added = self._memory.add(turns, user_id=conversation, metadata=metadata, infer=False)
        return [memory["id"] for memory in added["results"]]

    def finish(self) -> None:
        """Does nothing: memories are searchable once they are stored."""
        pass

    def search(self, conversation: str, question: str, limit: int) -> Sequence[str]:
        """Returns the ids of the nearest memories, nearest first."""
        found = self._memory.search(question, filters={"user_id": conversation}, top_k=limit, threshold=0.0)
        return [memory["id"] for memory in found["results"]]

    def close(self) -> None:
        """Releases the memory and its connections."""
        self._memory.close()
        self._closing.close()


def open_mem0_on_qdrant(place: Place, embedder: Embedder) -> Store:
    """Opens mem0 with its default vector store: Qdrant in this process, in files. Raises `NotInstalled`."""
    store = {"collection_name": COLLECTION, "path": str(place.folder / "qdrant"), "on_disk": True}
    memory = open_mem0(embedder, "qdrant", store, str(place.folder / "history.db"))
    closing = ExitStack()
    closing.callback(memory.vector_store.client.close)
    return Mem0Store(memory, closing)


def open_mem0_on_postgresql(place: Place, embedder: Embedder) -> Store:
    """Opens mem0 on pgvector with its default HNSW index. Raises `NotInstalled`."""
    import_mem0()
    try:
        from psycopg_pool import ConnectionPool
    except ImportError as error:
        raise NotInstalled(str(error)) from error
    closing = ExitStack()
    pool = closing.enter_context(ConnectionPool(place.url, min_size=1, max_size=5))
    store = {"collection_name": COLLECTION, "connection_pool": pool}
    return Mem0Store(open_mem0(embedder, "pgvector", store, str(place.folder / "history.db")), closing)


class ChromaStore:
    """Stores each message as a document, each conversation in a collection of its own."""

    def __init__(self, place: Place, embedder: Embedder) -> None:
        """Raises `NotInstalled`."""
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as error:
            raise NotInstalled(str(error)) from error
        path, settings = str(place.folder / "chroma"), Settings(anonymized_telemetry=False)
        self._client: Any = chromadb.PersistentClient(path=path, settings=settings)
        self._embedder = embedder

    def _collection(self, conversation: str) -> Any:
        return self._client.get_or_create_collection(conversation, embedding_function=None)

    def add(self, conversation: str, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Embeds messages and adds them to the collection of a conversation; returns their ids."""
        ids, texts = [str(message.id) for message in messages], [with_speaker(message) for message in messages]
        self._collection(conversation).add(
            ids=ids,
            documents=texts,
            embeddings=self._embedder.embed_documents(texts),
            metadatas=[{"role": message.role, "created_at": _time(message)} for message in messages],
        )
        return ids

    def finish(self) -> None:
        """Does nothing: documents are searchable once they are stored."""
        pass

    def search(self, conversation: str, question: str, limit: int) -> Sequence[str]:
        """Returns the ids of the nearest documents, nearest first."""
        vectors = self._embedder.embed_queries([question])
        found = self._collection(conversation).query(query_embeddings=vectors, n_results=limit)
        ids: list[str] = found["ids"][0]
        return ids

    def close(self) -> None:
        """Closes the client."""
        self._client.close()


def _time(message: NewMessage) -> str:
    return "" if message.created_at is None else message.created_at.isoformat()
