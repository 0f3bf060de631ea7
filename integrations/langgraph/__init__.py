"""LangGraph store: long-term memory of graphs, stored exactly in a bank."""

from foxing.integrations.frameworks.versions import require

require("langgraph")

from .store import FoxingStore  # noqa: E402

__all__ = ["FoxingStore"]
