"""Baselines of other packages, which the extra `store-baselines` installs. They run locally, without a language model
or telemetry, and with Foxing's embedder."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

from .adapters import import_mem0, langgraph_index, open_mem0
from .extensions import NotInstalled
from .system import EMBEDDINGS, LIMIT, Embeddings, Ranking, StemmedBm25, with_speaker

COLLECTION = "conversation"


class Mem0(Ranking):
    """mem0 with `infer=False`, which stores messages unchanged, on Qdrant in this process.

    Its BM25 and entity search need fastembed and spaCy with models that it downloads. Without these, as after a plain
    pip install, they are inactive.
    """

    name = "mem0"

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder
        import_mem0()
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise NotInstalled(str(error)) from error
        self._client = QdrantClient
        self._memory: Any = None

    def index(self, messages: Sequence[NewMessage]) -> None:
        """Adds each message as a memory."""
        store = {"client": self._client(":memory:"), "collection_name": COLLECTION, "path": "none"}
        self._memory = open_mem0(self._embedder, "qdrant", store, ":memory:")
        for message in messages:
            turn = {"role": message.role, "content": with_speaker(message)}
            self._memory.add([turn], user_id=COLLECTION, metadata={"key": str(message.id)}, infer=False)

    def ranked(self, question: str) -> Sequence[str]:
        """Returns the ids of at most `LIMIT` messages, best first."""
        found = self._memory.search(question, filters={"user_id": COLLECTION}, top_k=LIMIT, threshold=0.0)
        return [row["metadata"]["key"] for row in found["results"]]


class LangGraph(Ranking):
    """LangGraph store with semantic search over the text of each message."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder
        self._store: Any = None

    def _opened(self, index: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def index(self, messages: Sequence[NewMessage]) -> None:
        """Puts each message as an item into a new store."""
        self._store = self._opened(langgraph_index(self._embedder))
        for message in messages:  # one by one: batches with duplicate texts are rejected
            self._store.put((COLLECTION,), str(message.id), {"text": with_speaker(message)})

    def ranked(self, question: str) -> Sequence[str]:
        """Returns the ids of at most `LIMIT` messages, best first."""
        return [item.key for item in self._store.search((COLLECTION,), query=question, limit=LIMIT)]


class LangGraphInMemory(LangGraph):
    """LangGraph's `InMemoryStore`."""

    name = "langgraph"

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        try:
            from langgraph.store.memory import InMemoryStore
        except ImportError as error:
            raise NotInstalled(str(error)) from error
        self._class: Any = InMemoryStore

    def _opened(self, index: Mapping[str, Any]) -> Any:
        store: Any = self._class  # its type annotations do not accept Foxing's embedder
        return store(index=dict(index))


#: Name → constructor, which raises `NotInstalled`.
PACKAGES: Mapping[str, Callable[[Embedder], Ranking]] = MappingProxyType(
    {each.name: each for each in (Mem0, LangGraphInMemory)}
)


@dataclass(frozen=True)
class Rankings:
    """Systems to compare, and those that are not available."""

    systems: Sequence[Ranking]
    #: name → reason
    left_out: dict[str, str]


def open_rankings(embedder: Embedder | None, packages: Collection[str] = PACKAGES) -> Rankings:
    """Opens the baselines: BM25, the embedder alone, and other packages, those of the names `packages`."""
    systems: list[Ranking] = [StemmedBm25()]
    if embedder is None:
        return Rankings(systems, dict.fromkeys((EMBEDDINGS, *packages), "no embedder"))
    systems.append(Embeddings(embedder))
    left_out: dict[str, str] = {}
    for name in packages:
        try:
            systems.append(PACKAGES[name](embedder))
        except NotInstalled as error:
            left_out[name] = f"not installed ({error}); pip install 'foxing[store-baselines]'"
    return Rankings(systems, left_out)
