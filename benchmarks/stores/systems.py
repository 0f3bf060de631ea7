"""Registry of the measured stores."""

from collections.abc import Mapping

from . import langgraph_stores, vector_stores
from .foxing_stores import FoxingMemory
from .store import FOLDER, POSTGRESQL, SQLITE, System

OURS = "foxing"
BASELINES, CHROMA, LANGGRAPH = "store-baselines", "chroma", "langgraph"

_SYSTEMS = (
    System("foxing", SQLITE, "foxing", "", FoxingMemory),
    System("foxing", POSTGRESQL, "foxing", "postgresql", FoxingMemory),
    System("foxing-langgraph", SQLITE, "foxing", LANGGRAPH, langgraph_stores.open_foxing),
    System("foxing-langgraph", POSTGRESQL, "foxing", LANGGRAPH, langgraph_stores.open_foxing),
    System("langgraph", SQLITE, "langgraph-checkpoint-sqlite", BASELINES, langgraph_stores.open_sqlite),
    System("langgraph", POSTGRESQL, "langgraph-checkpoint-postgres", BASELINES, langgraph_stores.open_postgresql),
    System("mem0", FOLDER, "mem0ai", BASELINES, vector_stores.open_mem0_on_qdrant),
    System("mem0", POSTGRESQL, "mem0ai", BASELINES, vector_stores.open_mem0_on_postgresql),
    System("chroma", FOLDER, "chromadb", CHROMA, vector_stores.ChromaStore),
)
#: Name on the command line → system, Foxing first.
SYSTEMS: Mapping[str, System] = {system.key: system for system in _SYSTEMS}
