"""LangGraph: a store, the long-term memory of graphs, and a checkpointer, both stored exactly in a bank."""

from foxing.integrations.frameworks.versions import require

require("langgraph")

from .saver import FoxingSaver  # noqa: E402
from .store import FoxingStore  # noqa: E402

__all__ = ["FoxingSaver", "FoxingStore"]
