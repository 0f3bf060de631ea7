"""Versions of the frameworks that the integrations are tested with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType


class UnsupportedFramework(ImportError):
    """The framework is not installed, or its version is not supported."""


@dataclass(frozen=True)
class Range:
    """Range of versions of a distribution: `lowest` and above, below `below`."""

    distribution: str
    lowest: str
    below: str

    @property
    def requirement(self) -> str:
        """The range as a requirement specifier."""
        return f"{self.distribution}>={self.lowest},<{self.below}"


#: Folder of an integration, which is also the name of its extra → versions that it is tested with.
RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "langgraph": Range("langgraph-checkpoint", "4.3", "5"),
        "anthropic": Range("anthropic", "2.14", "3"),
        "langchain": Range("langchain-core", "1.8", "2"),
        "llamaindex": Range("llama-index-core", "0.14", "0.15"),
        "openai_agents": Range("openai-agents", "0.24", "0.25"),
        "pydantic_ai": Range("pydantic-ai-slim", "2.68", "3"),
        "google_adk": Range("google-adk", "2.13", "3"),
    }
)


def require(name: str) -> None:
    """Raises `UnsupportedFramework` unless the framework of this integration is installed in a tested version."""
    tested = RANGES[name]
    try:
        installed = version(tested.distribution)
    except PackageNotFoundError:
        reason = "which is not installed"
    else:
        if _release(tested.lowest) <= _release(installed) < _release(tested.below):
            return
        reason = f"but {installed} is installed"
    install = f"pip install 'foxing-client[{name.replace('_', '-')}]'"
    raise UnsupportedFramework(f"foxing.integrations.{name} requires {tested.requirement}, {reason}; run: {install}")


def _release(text: str) -> tuple[int, ...]:
    """Returns the leading numbers of a version: "4.3.2rc1" → (4, 3, 2)."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(number) for number in match.group().split(".")) if match else ()
