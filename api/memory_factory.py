"""Opens the memory that the settings describe."""

from foxing.memory import Memory

from .settings import Settings


def open_memory(settings: Settings) -> Memory:
    """An open memory whose database is migrated to this version. Raises `StorageError` or `DatabaseTooNew`."""
    return Memory(
        settings.database_url,
        codec=settings.codec,
        device=settings.device,
        token_bytes=settings.token_bytes,
        codec_options=settings.codec_options,
        max_message_bytes=settings.max_message_bytes,
        database_options=settings.database_options,
    )
