"""Choosing a reranker by its name.

A reranker of another package is named in the entry point group `foxing.rerankers`; the entry point is a callable
without arguments that returns a `Reranker`.
"""

from foxing.memory.errors import RerankerError
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.index.model_source import NONE
from foxing.renderer import Factories

from .endpoint import EndpointReranker
from .reranker import ENDPOINT, Reranker

RERANKERS: Factories[Reranker] = Factories("foxing.rerankers", "reranker", Reranker, RerankerError, [ENDPOINT, NONE])


def open_reranker(name: str, endpoint: EndpointOptions) -> Reranker:
    """The reranker called `name`, which is not "none". Raises `RerankerError` if it cannot be used."""
    return EndpointReranker(endpoint) if name == ENDPOINT else RERANKERS.open(name)
