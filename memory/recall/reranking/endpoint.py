"""Reranker behind a rerank endpoint: Cohere, Jina AI, Voyage AI, vLLM, llama.cpp, Infinity and others."""

import math
from collections.abc import Sequence
from typing import Any

from foxing.memory.errors import RerankerError
from foxing.memory.index.model_endpoint import EndpointOptions, ModelEndpoint, encodable

from .reranker import ENDPOINT

#: Maximum response size in bytes per text; enough for servers that echo the texts.
MAX_BYTES_PER_TEXT = 64 << 10


class EndpointReranker:
    """A model behind `POST {url}/rerank`; a URL that ends in `/rerank` is used as it is."""

    def __init__(self, options: EndpointOptions) -> None:
        """Sends no request. Raises `RerankerError` for invalid options."""
        self._endpoint = ModelEndpoint(options, "/rerank", "reranker", ENDPOINT, RerankerError)
        self.name = self._endpoint.name
        self.close = self._endpoint.close

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """See `Reranker.scores`. Raises `RerankerError`."""
        if not texts:
            return []
        body = {"query": encodable(question), "documents": [encodable(text) for text in texts]}
        try:
            return _scores(self._endpoint.post(body, MAX_BYTES_PER_TEXT * (len(texts) + 1)), len(texts))
        except Exception as error:  # of the network, the server or its response
            raise self._endpoint.failure(error) from None


def _scores(answer: Any, expected: int) -> list[float]:
    """Returns the scores of a response in the order of the texts. Raises `ValueError`, `KeyError` or `TypeError` for a
    response of another shape."""
    rows = answer["results"] if "results" in answer else answer["data"]
    found: dict[int, float] = {}
    for row in rows:
        score = row["relevance_score"] if "relevance_score" in row else row["score"]
        if not isinstance(row["index"], int) or isinstance(score, bool) or not isinstance(score, int | float):
            raise ValueError("an index or a score is not a number")
        found[row["index"]] = float(score)
    if len(rows) != expected or found.keys() != set(range(expected)) or not all(map(math.isfinite, found.values())):
        raise ValueError("the response does not have one finite score for each text")
    return [found[number] for number in range(expected)]
