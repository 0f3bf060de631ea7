"""Choosing an embedder by its name.

An embedder of another package is named in the entry point group `foxing.embedders`; the entry point is a callable
without arguments that returns an `Embedder`.
"""

from collections.abc import Callable
from threading import Lock

from foxing.memory.errors import EmbedderError
from foxing.renderer import PluginError, Plugins

from .embedder import ENDPOINT, USE, Embedder
from .model_endpoint import EndpointOptions
from .model_source import NONE

ENTRY_POINTS = "foxing.embedders"

_loading = Lock()  # the cache of `load` lets every thread load that comes meanwhile


def open_embedder(name: str, endpoint: EndpointOptions | None = None) -> Embedder:
    """The embedder called `name`, which is not "none". Raises `EmbedderError` if it cannot be used."""
    if name == USE:
        from .universal_sentence_encoder import UniversalSentenceEncoder

        with _loading:
            return UniversalSentenceEncoder.load()
    if name == ENDPOINT:
        from .embedding_endpoint import EndpointEmbedder

        return EndpointEmbedder(endpoint or EndpointOptions())
    if name not in EMBEDDERS:
        raise EmbedderError(f"there is no embedder '{name}'; choose one of {', '.join(embedder_names())}")
    plugin = EMBEDDERS.get(name)
    try:
        opened = plugin.value()
    except Exception as error:  # code of another package
        raise EmbedderError(f"the embedder '{name}' cannot be opened: {error}") from error
    if not isinstance(opened, Embedder):
        raise EmbedderError(f"the embedder '{name}' of the package {plugin.package} lacks methods; update it")
    return opened


def embedder_names() -> list[str]:
    """Names of the embedders that can be chosen."""
    return sorted({USE, ENDPOINT, NONE, *EMBEDDERS.names()})


def _factory(name: str, value: object) -> Callable[[], object]:
    if not callable(value):
        raise PluginError(f"'{name}' must name a callable that returns an embedder")
    return value


#: The embedders of other packages.
EMBEDDERS: Plugins[Callable[[], object]] = Plugins(ENTRY_POINTS, _factory)
