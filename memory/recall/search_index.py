"""Lexical search: what a search index does, the one in the database, and how one is chosen by name.

An index of another package is named in the entry point group `foxing.search_indexes`; the entry point is a callable
without arguments that returns a `SearchIndex`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, event

from foxing.memory.errors import StorageError
from foxing.memory.storage.repositories import index
from foxing.memory.storage.repositories.index import Hit, IndexStatistics
from foxing.memory.storage.repositories.messages import MessageFilter

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

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        return index.statistics(connection, bank_id)


def open_search_index(name: str) -> SearchIndex:
    """The search index called `name`. Raises `StorageError` if there is none or it cannot be opened."""
    if name == DEFAULT_INDEX:
        return SqlSearchIndex()
    found = entry_points(group=ENTRY_POINTS)
    if name not in found.names:
        names = ", ".join([DEFAULT_INDEX, *sorted(found.names)])
        raise StorageError(f"there is no search index '{name}'; set FOXING_SEARCH_INDEX to one of {names}")
    try:
        opened = found[name].load()()
    except Exception as error:  # code of another package
        raise StorageError(
            f"the search index '{name}' cannot be opened ({error}); check the package it is from"
        ) from error
    if not isinstance(opened, SearchIndex):
        raise StorageError(f"'{name}' is not a search index; check its package")
    return opened


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
