"""Rerankers: what a reranker does, and the names of those that come with the package."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

#: A rerank endpoint, and none.
ENDPOINT, NONE = "endpoint", "none"


@runtime_checkable
class Reranker(Protocol):
    """Says how well texts answer a question, by reading both together. Safe to share between threads.

    `foxing.memory.recall.reranking.conformance` checks an implementation.
    """

    #: names the model, for messages to people
    name: str

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """A finite score for each text, in their order; a higher one is a better answer. Scores of different questions
        are not compared."""


@dataclass(frozen=True)
class RerankEndpointOptions:
    """An endpoint that answers `POST /rerank` as those of Cohere, Jina AI and vLLM do."""

    #: address up to `/v1` or `/v2`, such as "http://localhost:8000/v1"; one that ends in `/rerank` is used as it is
    url: str = field(default="", repr=False)
    model: str = ""
    api_key: str | None = field(default=None, repr=False)
