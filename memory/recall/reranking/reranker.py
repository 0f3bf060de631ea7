"""The protocol of rerankers."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

#: The name of a rerank endpoint.
ENDPOINT = "endpoint"


@runtime_checkable
class Reranker(Protocol):
    """Scores how well texts answer a question, as a cross-encoder does. Safe to share between threads.

    `foxing.memory.recall.reranking.conformance` checks an implementation.
    """

    #: name of the model, for messages
    name: str

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Returns a finite score for each text, in their order; higher is better. Scores of different questions need
        not be comparable."""
