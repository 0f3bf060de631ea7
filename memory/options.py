"""Options of a memory that are rarely changed."""

from dataclasses import dataclass, field

from foxing.renderer.readers import Readers

from .index import embedder
from .index.embedder import Embedder
from .index.embedder_source import EmbedderSource
from .index.hybrid import HybridSearch
from .index.model_endpoint import EndpointOptions
from .index.model_source import NONE
from .index.search_index import SearchIndex
from .index.search_indexes import DEFAULT_INDEX, open_search_index
from .index.vectors import VECTOR_CACHE_BYTES, MessageVectors
from .pages.decoder import PAGE_CACHE_BYTES
from .recall.reranking.reranker import Reranker
from .recall.reranking.source import TIMEOUT_S, RerankerSource

MAX_MESSAGE_BYTES = 1 << 20  # 1 MiB


@dataclass(frozen=True)
class MemoryOptions:
    """Limits of a memory, and the search index it uses."""

    #: Maximum size of a message's text, in bytes of UTF-8.
    max_message_bytes: int = MAX_MESSAGE_BYTES
    #: Bytes of pages that stay decoded in memory.
    page_cache_bytes: int = PAGE_CACHE_BYTES
    #: What finds messages by their words, or its name.
    search_index: str | SearchIndex = DEFAULT_INDEX
    #: What finds messages by their meaning, or its name; "none" for words alone, "openai" for `embedder_endpoint`.
    embedder: str | Embedder = field(default_factory=lambda: embedder.DEFAULT_EMBEDDER)
    #: Where the embedder "openai" is.
    embedder_endpoint: EndpointOptions | None = None
    #: Whether storing leaves embedding to `Memory.embed_new`, which the caller calls after it, and to the clock.
    embed_later: bool = False
    #: Bytes of embeddings that stay in memory between queries.
    vector_cache_bytes: int = VECTOR_CACHE_BYTES
    #: What puts the best matches of a question in a better order, or its name; "endpoint" for `reranker_endpoint`.
    reranker: str | Reranker = NONE
    #: Where the reranker "endpoint" is.
    reranker_endpoint: EndpointOptions | None = None
    #: Seconds that recall waits for the reranker before it goes on without.
    reranker_timeout_s: float = TIMEOUT_S
    #: Whether what recall finds fades later.
    recall_weights: bool = True
    #: Models that context is built for.
    readers: Readers = field(default_factory=Readers)

    def search(self) -> HybridSearch:
        """The search that these options choose. Raises `SearchIndexError`, and `EmbedderError` for an endpoint without
        address or model."""
        index = self.search_index
        source = EmbedderSource(self.embedder, self.embedder_endpoint, later=self.embed_later)
        return HybridSearch(
            open_search_index(index) if isinstance(index, str) else index,
            MessageVectors(source, self.vector_cache_bytes),
        )

    def reranking(self) -> RerankerSource:
        """The reranker that these options choose. Raises `RerankerError` for an endpoint without address or model."""
        return RerankerSource(self.reranker, self.reranker_endpoint, self.reranker_timeout_s)
