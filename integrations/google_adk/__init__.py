"""Google ADK: a memory service and a session service over a bank."""

from foxing.integrations.frameworks.versions import require

require("google_adk")

from .memory import FoxingMemoryService, MemoryServiceFields  # noqa: E402
from .sessions import FoxingSessionService  # noqa: E402

__all__ = ["FoxingMemoryService", "FoxingSessionService", "MemoryServiceFields"]
