"""Opens the memory that the settings describe."""

from foxing.memory import Memory, MemoryOptions
from foxing.renderer.readers import Readers

from .settings import Settings


def open_memory(settings: Settings, *, embed_later: bool = False) -> Memory:
    """An open memory whose database is migrated to this version. `embed_later`: whether storing waits for no embedder.
    Raises `StorageError`, `DatabaseTooNew`, `EmbedderError` or
    `RerankerError`."""
    return Memory(
        settings.database_options,
        codec=settings.codec,
        device=settings.device,
        codec_options=settings.codecs,
        options=MemoryOptions(
            settings.max_message_bytes,
            settings.page_cache_bytes,
            settings.search_index,
            settings.embedder,
            settings.embedder_endpoint,
            embed_later=embed_later,
            reranker=settings.reranker,
            reranker_endpoint=settings.reranker_endpoint,
            reranker_timeout_s=settings.reranker_timeout_s,
            rehearsal=settings.rehearsal,
            readers=Readers(settings.readers),
        ),
    )
