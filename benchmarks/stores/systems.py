"""Stores of other packages, opened as their documentation describes, with Foxing's embedder."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Protocol
from uuid import uuid4

from benchmarks.baselines.adapters import langgraph_index, open_mem0
from benchmarks.baselines.extensions import NotInstalled
from foxing.memory.index.embedder import Embedder

COLLECTION = "bench"
LIMIT = 10  # messages of an answer


class Store(Protocol):
    """A store, called by one thread at a time."""

    def add(self, text: str) -> None:
        """Embeds and stores a message."""

    def search(self, question: str) -> list[str]:
        """Returns the texts of the `LIMIT` nearest messages."""


class LangGraphSqlite:
    """LangGraph's `SqliteStore`, which searches with sqlite-vec."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        try:
            from langgraph.store.sqlite import SqliteStore
        except ImportError as error:
            raise NotInstalled(str(error)) from error
        path = str(folder / "store.db")
        connection = _sqlite_with_extensions().connect(path, check_same_thread=False, isolation_level=None)
        self._store: Any = SqliteStore(connection, index=langgraph_index(embedder))
        self._store.setup()

    def add(self, text: str) -> None:
        """See `Store`."""
        self._store.put((COLLECTION,), uuid4().hex, {"text": text}, index=["text"])

    def search(self, question: str) -> list[str]:
        """See `Store`."""
        return [item.value["text"] for item in self._store.search((COLLECTION,), query=question, limit=LIMIT)]


def _sqlite_with_extensions() -> ModuleType:
    """Returns `sqlite3`, or pysqlite3 where Python's cannot load extensions. Raises `NotInstalled`."""
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    try:
        import pysqlite3
    except ImportError as error:
        raise NotInstalled("this Python's sqlite3 cannot load extensions; pip install pysqlite3") from error
    module: ModuleType = pysqlite3
    return module


class Mem0Qdrant:
    """mem0 with `infer=False`, which calls no language model, on Qdrant's files in the same process."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        options = {"collection_name": COLLECTION, "path": str(folder / "qdrant"), "on_disk": True}
        self._memory = open_mem0(embedder, "qdrant", options, str(folder / "history.db"))

    def add(self, text: str) -> None:
        """See `Store`."""
        self._memory.add([{"role": "user", "content": text}], user_id=COLLECTION, infer=False)

    def search(self, question: str) -> list[str]:
        """See `Store`."""
        found = self._memory.search(question, filters={"user_id": COLLECTION}, top_k=LIMIT, threshold=0.0)
        return [memory["memory"] for memory in found["results"]]


class Chroma:
    """A collection of Chroma's persistent client."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as error:
            raise NotInstalled(f"{error}; pip install chromadb, about 600 MB with what it needs") from error
        client = chromadb.PersistentClient(path=str(folder / "chroma"), settings=Settings(anonymized_telemetry=False))
        self._collection: Any = client.get_or_create_collection(COLLECTION, embedding_function=None)
        self._embedder = embedder

    def add(self, text: str) -> None:
        """See `Store`."""
        self._collection.add(ids=[uuid4().hex], documents=[text], embeddings=self._embedder.embed_documents([text]))

    def search(self, question: str) -> list[str]:
        """See `Store`."""
        vectors = self._embedder.embed_queries([question])
        texts: list[str] = self._collection.query(query_embeddings=vectors, n_results=LIMIT)["documents"][0]
        return texts


def database_in(folder: Path) -> str:
    """Returns the URL of the PostgreSQL server in a folder, see `PostgresServer`."""
    return f"postgresql://postgres@/postgres?host={folder / 'sockets'}"


class PgVector:
    """A table of PostgreSQL with vectors of pgvector and its index HNSW, on the server in a folder."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise NotInstalled(str(error)) from error
        if not (folder / "sockets").exists():
            raise NotInstalled("there is no PostgreSQL server with pgvector")
        self._connection = psycopg.connect(database_in(folder), autocommit=True)
        self._connection.execute("CREATE EXTENSION vector")
        vectors = f"vector({embedder.dimensions})"
        self._connection.execute(
            f"CREATE TABLE {COLLECTION} (id bigserial PRIMARY KEY, content text, embedding {vectors})"
        )
        self._connection.execute(f"CREATE INDEX ON {COLLECTION} USING hnsw (embedding vector_cosine_ops)")
        self._embedder = embedder

    def add(self, text: str) -> None:
        """See `Store`."""
        [vector] = self._embedder.embed_documents([text]).tolist()
        self._connection.execute(
            f"INSERT INTO {COLLECTION} (content, embedding) VALUES (%s, %s::vector)", (text, str(vector))
        )

    def search(self, question: str) -> list[str]:
        """See `Store`."""
        [vector] = self._embedder.embed_queries([question]).tolist()
        query = f"SELECT content FROM {COLLECTION} ORDER BY embedding <=> %s::vector LIMIT {LIMIT}"
        return [text for (text,) in self._connection.execute(query, (str(vector),))]


PGVECTOR = "pgvector"
#: Name → constructor, which raises `NotInstalled`.
SYSTEMS: Mapping[str, Callable[[Path, Embedder], Store]] = MappingProxyType(
    {"langgraph SqliteStore": LangGraphSqlite, "mem0 + Qdrant": Mem0Qdrant, "Chroma": Chroma, PGVECTOR: PgVector}
)
