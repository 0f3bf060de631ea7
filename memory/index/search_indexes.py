"""Opens search indexes by name.

Another package adds an index in the entry point group `foxing.search_indexes`; the entry point is a callable without
arguments that returns a `SearchIndex`.
"""

from foxing.memory.errors import SearchIndexError
from foxing.renderer.plugins import Factories

from .packed_index import PackedIndex
from .search_index import SearchIndex

DEFAULT_INDEX = PackedIndex.name

SEARCH_INDEXES: Factories[SearchIndex] = Factories(
    "foxing.search_indexes", "search index", SearchIndex, SearchIndexError, [DEFAULT_INDEX]
)


def open_search_index(name: str) -> SearchIndex:
    """Returns the search index called `name`. Raises `SearchIndexError` if there is none or it cannot be opened."""
    return PackedIndex() if name == DEFAULT_INDEX else SEARCH_INDEXES.open(name)
