"""OpenAI Agents SDK: sessions stored exactly in a bank, and remembered."""

from foxing.integrations.frameworks.versions import require

require("openai_agents")

from .session import FoxingSession  # noqa: E402

__all__ = ["FoxingSession"]
