"""Search indexes by name: the one in the database, and those of other packages.

An index of another package is named in the entry point group `foxing.search_indexes`; the entry point is a callable
without arguments that returns a `SearchIndex`.
"""

from collections.abc import Callable

from foxing.memory.errors import SearchIndexError
from foxing.renderer import PluginError, Plugins

from .packed_index import PackedIndex
from .search_index import SearchIndex

ENTRY_POINTS = "foxing.search_indexes"
DEFAULT_INDEX = PackedIndex.name


def open_search_index(name: str) -> SearchIndex:
    """The search index called `name`. Raises `SearchIndexError` if there is none or it cannot be opened."""
    if name == DEFAULT_INDEX:
        return PackedIndex()
    if name not in SEARCH_INDEXES:
        known = ", ".join(search_index_names())
        raise SearchIndexError(f"there is no search index '{name}'; choose one of {known}")
    try:
        plugin = SEARCH_INDEXES.get(name)
        opened = plugin.value()
    except Exception as error:  # code of another package
        raise SearchIndexError(f"the search index '{name}' cannot be opened: {error}") from error
    if not isinstance(opened, SearchIndex):
        raise SearchIndexError(f"the search index '{name}' of the package {plugin.package} lacks methods; update it")
    return opened


def search_index_names() -> list[str]:
    """Names of the search indexes that can be chosen."""
    return sorted({DEFAULT_INDEX, *SEARCH_INDEXES.names()})


def _factory(name: str, value: object) -> Callable[[], object]:
    if not callable(value):
        raise PluginError(f"'{name}' must name a callable that returns a search index")
    return value


#: The search indexes of other packages.
SEARCH_INDEXES: Plugins[Callable[[], object]] = Plugins(ENTRY_POINTS, _factory)
