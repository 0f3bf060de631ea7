"""Claude's memory tool, with its files in a bank."""

from foxing.integrations.frameworks.versions import require

require("anthropic")

from .tool import AsyncFoxingMemoryTool, FoxingMemoryTool  # noqa: E402

__all__ = ["AsyncFoxingMemoryTool", "FoxingMemoryTool"]
