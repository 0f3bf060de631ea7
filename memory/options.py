"""Less common options of a memory."""

from dataclasses import dataclass, field

from foxing.renderer.readers import Readers

from .index import embedder
from .index.embedder import Embedder
from .index.embedder_source import EmbedderSource
from .index.hybrid import HybridSearch
from .index.model_endpoint import EndpointOptions
from .index.search_index import SearchIndex
from .index.search_indexes import DEFAULT_INDEX, open_search_index
from .index.vectors import VECTOR_CACHE_BYTES, MessageVectors
from .pages.decoder import PAGE_CACHE_BYTES
from .values.audit import AUDIT_DAYS, AuditDoor, AuditLevel
from .values.gap_marks import TEXT_GAP_MARK

MAX_MESSAGE_BYTES = 1 << 20  # 1 MiB


@dataclass(frozen=True)
class MemoryOptions:
    """Options of a memory: limits, caches, search and readers."""

    #: Maximum size of a message's text, in bytes of UTF-8.
    max_message_bytes: int = MAX_MESSAGE_BYTES
    #: Size of the cache of decoded pages, in bytes.
    page_cache_bytes: int = PAGE_CACHE_BYTES
    #: The lexical index, or its name.
    search_index: str | SearchIndex = DEFAULT_INDEX
    #: The embedder for semantic search, or its name; "none" for lexical search only, "openai" or "multimodal"
    #: for `embedder_endpoint`.
    embedder: str | Embedder = field(default_factory=lambda: embedder.DEFAULT_EMBEDDER)
    #: The endpoint of the embedders "openai" and "multimodal".
    embedder_endpoint: EndpointOptions | None = None
    #: Whether `store` leaves embedding to the scheduler and to `Operations.embed_new`, which the caller calls later.
    embed_later: bool = False
    #: Size of the cache of embeddings, in bytes.
    vector_cache_bytes: int = VECTOR_CACHE_BYTES
    #: Whether recalled messages fade later than others.
    recall_weights: bool = True
    #: Whether text in images is read when they are sealed, where the extra `ocr` is installed.
    read_images: bool = True
    #: The gap mark in text for a model, where a query chooses none.
    gap_mark: str = TEXT_GAP_MARK
    #: The readers that images and context can be laid out for.
    readers: Readers = field(default_factory=Readers)
    #: Which calls are recorded in the audit log. "off" by default: a program that embeds the memory is its own caller.
    audit: AuditLevel = "off"
    #: Door of the calls for which no other is named, as the audit log calls it.
    door: AuditDoor = "python"
    #: Days for which audit events are kept; None for ever.
    audit_days: int | None = AUDIT_DAYS

    #: File of the labels of recalls; None for one beside a SQLite file, "none" for no labels.
    labels_file: str | None = None

    def search(self) -> HybridSearch:
        """Returns the search of these options. Raises `SearchIndexError`, and `EmbedderError` for an endpoint without
        address or model."""
        index = self.search_index
        source = EmbedderSource(self.embedder, self.embedder_endpoint, later=self.embed_later)
        return HybridSearch(
            open_search_index(index) if isinstance(index, str) else index,
            MessageVectors(source, self.vector_cache_bytes),
        )
