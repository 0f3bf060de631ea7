"""What a search index does.

An index of another package is named in the entry point group `foxing.search_indexes`; the entry point is a callable
without arguments that returns a `SearchIndex`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection, event

from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.text.passages import message_of, passage_of

#: Message id → its passages in their order → term → how often the passage contains it.
TermCounts = Mapping[int, Sequence[Mapping[str, int]]]


class Hit(NamedTuple):
    """A passage of a message that a search found."""

    #: see `foxing.memory.text.passages.document_key`
    document: int
    score: float

    @property
    def message_id(self) -> int:
        return message_of(self.document)

    @property
    def passage(self) -> int:
        """Which passage of the message, from 0."""
        return passage_of(self.document)


class IndexStatistics(NamedTuple):
    """What an index holds of a bank."""

    #: messages with at least one term
    messages: int
    #: entries: a term of a passage counts once
    entries: int
    #: estimated size with everything that belongs to it
    bytes: int


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

    What is found and ranked are passages; most messages are one.

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

    def compact(self, connection: Connection, bank_id: int) -> None:
        """Stores in less room what was added lately, where that is worth the time; messages of the bank were sealed."""

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        """Up to `limit` passages that contain a term of the query, by score; of equal scores those of the newest
        message first, and of one message in their order.

        `after`: continues after this hit of the same query in the same transaction.
        """

    def document_frequencies(self, connection: Connection, bank_id: int, terms: Collection[str]) -> Mapping[str, int]:
        """Term → how many passages of a bank contain it, for those of `terms` that any does."""

    def statistics(self, connection: Connection, bank_id: int) -> IndexStatistics:
        """What the index holds of a bank."""


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
