"""Options of a memory that are rarely changed."""

from dataclasses import dataclass, field

from foxing.renderer.readers import Readers

from .pages.decoder import PAGE_CACHE_BYTES
from .recall.search_index import DEFAULT_INDEX, SearchIndex

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
    #: Models that context is built for.
    readers: Readers = field(default_factory=Readers)
