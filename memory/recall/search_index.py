"""Lexical search: what a search index does, the one in the database, and how one is chosen by name.

An index of another package is named in the entry point group `foxing.search_indexes`; the entry point is a callable
without arguments that returns a `SearchIndex`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, event

from foxing.memory.errors import SearchIndexError
from foxing.memory.storage.repositories import index
from foxing.memory.storage.repositories.index import Hit, IndexStatistics
from foxing.memory.storage.repositories.messages import MessageFilter
from foxing.renderer import PluginError, Plugins

ENTRY_POINTS = "foxing.search_indexes"
DEFAULT_INDEX = "sql"

#: Message id → term → how often the message contains it.
TermCounts = Mapping[int, Mapping[str, int]]


@dataclass(frozen=True)
class SearchQuery:
    """What to search the index for."""

    bank_id: int
    #: term → how often the query contains it
    terms: Mapping[str, int]
    #: which messages may be returned; scores do not depend on it
    within: MessageFilter = field(default_factory=MessageFilter)
    #: highest message id that counts, None for all; messages stored later change neither answers nor scores
    newest: int | None = None


@runtime_checkable
class SearchIndex(Protocol):
    """The terms of the messages of all banks, searched by relevance. Safe to share between threads.

    Each method is called in the transaction of `connection`. An index that keeps its data elsewhere applies changes by
    `after_commit`, because a transaction may be rolled back, and filters by `messages.admitted`. `foxing.memory.recall.
    conformance` checks an implementation.
    """

    name: str

    def add(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        """Adds messages of a bank that are not in the index."""

    def replace(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        """Replaces the terms of messages of a bank."""

    def remove(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
        """Removes messages of a bank; those that are not in the index are ignored."""

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        """Up to `limit` messages that contain a term of the query, by score, of equal scores the newest first.

        `after`: continues after this hit of the same query in the same transaction.
        """

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        """Term → how many messages of a bank contain it, for those of `terms` that any does."""

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        """What the index holds of a bank."""


class SqlSearchIndex:
    """BM25 over a table of the database."""

    name = DEFAULT_INDEX

    def add(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        index.add(connection, bank_id, counts)

    def replace(self, connection: Connection, bank_id: int, counts: TermCounts) -> None:
        index.replace(connection, bank_id, counts)

    def remove(self, connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
        index.remove(connection, bank_id, message_ids)

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        wanted = index.IndexQuery(query.bank_id, query.terms, query.within, query.newest)
        return index.search(connection, wanted, after=after, limit=limit)

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        return index.document_frequencies(connection, bank_id, terms)

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        return index.statistics(connection, bank_id)


def open_search_index(name: str) -> SearchIndex:
    """The search index called `name`. Raises `SearchIndexError` if there is none or it cannot be opened."""
    if name == DEFAULT_INDEX:
        return SqlSearchIndex()
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


def after_commit(connection: Connection, action: Callable[[], object]) -> None:
    """Calls `action` once the transaction of `connection` is committed, and not if it is rolled back."""
    pending = [action]

    def committed(_: Connection) -> None:
        while pending:
            pending.pop()()

    def rolled_back(_: Connection) -> None:
        pending.clear()

    event.listen(connection, "commit", committed)
    event.listen(connection, "rollback", rolled_back)
