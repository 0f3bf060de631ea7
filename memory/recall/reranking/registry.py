"""Choosing a reranker by its name.

A reranker of another package is named in the entry point group `foxing.rerankers`; the entry point is a callable
without arguments that returns a `Reranker`.
"""

from collections.abc import Callable

from foxing.memory.errors import RerankerError
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.index.model_source import NONE
from foxing.renderer import PluginError, Plugins

from .endpoint import EndpointReranker
from .reranker import ENDPOINT, Reranker

ENTRY_POINTS = "foxing.rerankers"


def open_reranker(name: str, endpoint: EndpointOptions) -> Reranker:
    """The reranker called `name`, which is not "none". Raises `RerankerError` if it cannot be used."""
    if name == ENDPOINT:
        return EndpointReranker(endpoint)
    if name not in RERANKERS:
        raise RerankerError(f"there is no reranker '{name}'; choose one of {', '.join(reranker_names())}").naming(
            "reranker"
        )
    plugin = RERANKERS.get(name)
    try:
        opened = plugin.value()
    except Exception as error:  # code of another package
        raise RerankerError(f"the reranker '{name}' cannot be opened: {error}") from error
    if not isinstance(opened, Reranker):
        raise RerankerError(f"the reranker '{name}' of the package {plugin.package} lacks methods; update it")
    return opened


def reranker_names() -> list[str]:
    """Names of the rerankers that can be chosen."""
    return sorted({ENDPOINT, NONE, *RERANKERS.names()})


def _factory(name: str, value: object) -> Callable[[], object]:
    if not callable(value):
        raise PluginError(f"'{name}' must name a callable that returns a reranker")
    return value


#: The rerankers of other packages.
RERANKERS: Plugins[Callable[[], object]] = Plugins(ENTRY_POINTS, _factory)
