"""Which versions of each framework its adapter is tested with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType


class UnsupportedFramework(ImportError):
    """The framework is not installed, or not in a version that its adapter is tested with."""


@dataclass(frozen=True)
class Range:
    """Versions of a distribution: from `lowest` on, below `below`."""

    distribution: str
    lowest: str
    below: str

    @property
    def requirement(self) -> str:
        """As in pyproject.toml."""
        return f"{self.distribution}>={self.lowest},<{self.below}"


#: Folder of an adapter, whose extra has the same name → what it is tested with.
RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "langgraph": Range("langgraph-checkpoint", "4.3", "5"),
        "anthropic": Range("anthropic", "2.14", "3"),
        "langchain": Range("langchain-core", "1.8", "2"),
        "llamaindex": Range("llama-index-core", "0.14", "0.15"),
        "openai_agents": Range("openai-agents", "0.24", "0.25"),
    }
)


def require(name: str) -> None:
    """Raises `UnsupportedFramework` unless the framework of this adapter is installed in a tested version."""
    tested = RANGES[name]
    install = f"pip install 'foxing[{name.replace('_', '-')}]'"
    try:
        installed = version(tested.distribution)
    except PackageNotFoundError as error:
        raise UnsupportedFramework(
            f"foxing.integrations.{name} needs {tested.requirement}, which is not installed: {install}"
        ) from error
    if not _release(tested.lowest) <= _release(installed) < _release(tested.below):
        raise UnsupportedFramework(
            f"foxing.integrations.{name} is tested with {tested.requirement}, and {installed} is installed: {install}"
        )


def _release(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: "4.3.2rc1" → (4, 3, 2)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(number) for number in found.group().split(".")) if found else ()
