"""Pydantic AI: a capability that lets agents remember, and a toolset over a bank."""

from foxing.integrations.frameworks.versions import require

require("pydantic_ai")

from .capability import CapabilityFields, FoxingCapability  # noqa: E402
from .toolset import FoxingToolset  # noqa: E402

__all__ = ["CapabilityFields", "FoxingCapability", "FoxingToolset"]
