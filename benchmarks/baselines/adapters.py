"""Opens other packages with one of Foxing's embedders, as their documentation describes. They run locally, without a
language model or telemetry."""

import logging
import os
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

from foxing.memory.index.embedder import Embedder

from .extensions import NotInstalled


def langgraph_index(embedder: Embedder) -> dict[str, Any]:
    """Returns the index configuration of a LangGraph store that searches the field `text` of each value."""

    def embed(texts: list[str]) -> list[list[float]]:
        return [[float(number) for number in row] for row in embedder.embed_documents(texts)]

    return {"dims": embedder.dimensions, "embed": embed, "fields": ["text"]}


def import_mem0() -> Any:
    """Imports mem0 with telemetry off and its files outside the home folder. Raises `NotInstalled`."""
    os.environ["MEM0_TELEMETRY"] = "false"
    os.environ.setdefault("MEM0_DIR", tempfile.mkdtemp(prefix="foxing-mem0-"))
    try:
        import mem0
    except ImportError as error:
        raise NotInstalled(str(error)) from error
    logging.getLogger("mem0").setLevel(logging.ERROR)
    return mem0


def open_mem0(embedder: Embedder, provider: str, store: Mapping[str, Any], history: str) -> Any:
    """Opens mem0's `Memory` on the vector store with the configuration `store`. `history`: path of its SQLite file.
    Raises `NotInstalled`."""
    mem0 = import_mem0()
    configured = {
        "vector_store": {
            "provider": provider,
            "config": {**store, "embedding_model_dims": embedder.dimensions},
        },
        # both are constructed but never called
        "embedder": {"provider": "openai", "config": {"api_key": "none"}},
        "llm": {"provider": "openai", "config": {"api_key": "none"}},
        "history_db_path": history,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect")
        try:
            memory = mem0.Memory.from_config(configured)
        except ImportError as error:
            raise NotInstalled(str(error)) from error
    memory.embedding_model = _Mem0Embedder(embedder)
    return memory


class _Mem0Embedder:
    """Adapter of an embedder to mem0's interface."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """Embeds one text, as a query if mem0 searches."""
        embed = self._embedder.embed_queries if memory_action == "search" else self._embedder.embed_documents
        return [float(number) for number in embed([text])[0]]
