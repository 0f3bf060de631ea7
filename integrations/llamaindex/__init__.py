"""LlamaIndex: a memory block over a bank, with recalled messages as text or page images."""

from foxing.integrations.frameworks.versions import require

require("llamaindex")

from .block import BlockFields, FoxingMemoryBlock  # noqa: E402

__all__ = ["BlockFields", "FoxingMemoryBlock"]
