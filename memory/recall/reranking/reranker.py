"""Rerankers: what a reranker does."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

#: The name of a rerank endpoint.
ENDPOINT = "endpoint"


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
