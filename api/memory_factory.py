"""Opens the memory that the settings describe."""

from foxing.memory import Memory

from .settings import Settings


def open_memory(settings: Settings) -> Memory:
    """An open memory whose database is migrated to this version. Raises `StorageError` or `DatabaseTooNew`."""
    return Memory(
        settings.database_url,
        codec=settings.codec,
        device=settings.device,
        codec_options=settings.codecs,
        max_message_bytes=settings.max_message_bytes,
    )
