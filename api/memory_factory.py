"""Opens the memory that the settings describe."""

from foxing.memory import Memory, MemoryOptions
from foxing.renderer.readers import Readers

from .settings import Settings


def open_memory(settings: Settings, *, embed_later: bool = False) -> Memory:
    """An open memory whose database is migrated to this version. `embed_later`: whether storing waits for no embedder.
    Raises `StorageError` or `DatabaseTooNew`."""
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
            rehearsal=settings.rehearsal,
            readers=Readers(settings.readers),
        ),
    )
