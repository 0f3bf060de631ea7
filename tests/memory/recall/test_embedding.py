"""Embedders: what all of them do."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from support.search_doubles import HashingEmbedder

from foxing.memory.recall.conformance import EMBEDDER_CHECKS, check_embedder
from foxing.memory.recall.embedding import Embedder, Embeddings


@pytest.mark.parametrize("check", EMBEDDER_CHECKS, ids=lambda check: check.__name__)
def test_an_embedder_conforms(check: Callable[[Embedder], None]) -> None:
    check(HashingEmbedder())


def test_the_suite_notices_vectors_of_another_length() -> None:
    class Unnormalised(HashingEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> Embeddings:
            return np.float32(2) * self.embed_documents(texts)

    with pytest.raises(AssertionError, match="length 1"):
        check_embedder(Unnormalised())
