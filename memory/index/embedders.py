"""Opens embedders by name.

Another package adds an embedder in the entry point group `foxing.embedders`; the entry point is a callable without
arguments that returns an `Embedder`.
"""

from contextlib import suppress
from threading import Lock

from foxing.memory.errors import EmbedderError
from foxing.renderer.plugins import Factories

from .embedder import ENDPOINT, MULTIMODAL, NONE, USE, Embedder
from .model_endpoint import EndpointOptions

EMBEDDERS: Factories[Embedder] = Factories(
    "foxing.embedders", "embedder", Embedder, EmbedderError, [USE, ENDPOINT, MULTIMODAL, NONE]
)

_loading = Lock()  # `functools.cache` does not prevent concurrent calls of `load`


def import_default() -> None:
    """Imports the modules of the default embedder, and opens nothing."""
    from . import universal_sentence_encoder  # noqa: F401

    with suppress(ImportError):  # its package may not be installed
        from . import use_model  # noqa: F401


def open_embedder(name: str, endpoint: EndpointOptions | None = None) -> Embedder:
    """Returns the embedder called `name`, which is not "none". Raises `EmbedderError` if it cannot be used."""
    if name == USE:
        from .universal_sentence_encoder import UniversalSentenceEncoder

        with _loading:
            return UniversalSentenceEncoder.load()
    if name == ENDPOINT:
        from .embedding_endpoint import EndpointEmbedder

        return EndpointEmbedder(endpoint or EndpointOptions())
    if name == MULTIMODAL:
        from .embedding_endpoint import MultimodalEmbedder

        return MultimodalEmbedder(endpoint or EndpointOptions())
    return EMBEDDERS.open(name)
