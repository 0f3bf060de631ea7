"""Opening the memory of the settings."""

from dataclasses import replace

from foxing.memory import Memory, MemoryOptions
from foxing.memory.garbage import collect_as_usual
from foxing.memory.values.audit import AuditDoor
from foxing.renderer import Readers

from .settings import Settings


def open_memory(
    settings: Settings, *, create: bool = True, embed_later: bool = False, door: AuditDoor = "python"
) -> Memory:
    """Returns an open memory whose database is migrated to this version. `create`: create the database if it does not
    exist. `embed_later`: store without waiting for the embedder. `door`: of the calls for which no other is named.
    Raises `StorageError`, `NoDatabase`, `DatabaseTooNew`, `EmbedderError`."""
    memory = Memory(
        replace(settings.database_options, create=create),
        codec=settings.codec,
        device=settings.device,
        codec_options=settings.codecs,
        options=replace(memory_options(settings, embed_later=embed_later), door=door),
    )
    collect_as_usual()
    return memory


def memory_options(settings: Settings, *, embed_later: bool = False) -> MemoryOptions:
    """Returns the options of the memory of the settings."""
    return MemoryOptions(
        settings.max_message_bytes,
        settings.page_cache_bytes,
        settings.search_index,
        settings.embedder,
        settings.embedder_endpoint,
        embed_later=embed_later,
        recall_weights=settings.recall_weights,
        read_images=settings.read_images,
        gap_mark=settings.gap_mark,
        readers=Readers(settings.readers),
        audit=settings.audit,
        audit_days=settings.audit_days,
        labels_file=settings.labels_file,
    )


def open_loaded_memory(settings: Settings) -> Memory:
    """Returns an open memory with the vocabulary and the embedder loaded: loading them during the first requests would
    block all threads. The codec is loaded by the readiness check. Raises the errors of `open_memory`."""
    memory = open_memory(settings, embed_later=True)
    memory.operations.load()
    return memory
