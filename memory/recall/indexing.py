"""Which words of a message are in the index, and removing those that can no longer be read.

Terms are computed before the transaction that changes the pages, so that nothing is decoded while it holds the write
lock. In the transaction they are written if everything is still as it was when they were computed.
"""

from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from foxing.memory.pages.content import PageState
from foxing.memory.pages.message_parts import RememberedMessage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageRow, SpanRow
from foxing.memory.text.terms import is_unspaced, term_runs, terms

from .assemble import MessageAssembler, PageDraft, StoredMessages
from .search_index import SearchIndex


@dataclass(frozen=True)
class PageChanges:
    """What a transaction will change about pages, as far as the index is concerned."""

    #: ids of open messages that will be sealed to their end, and whose words may be lost by that
    sealed: Collection[int] = ()
    #: ids of pages whose messages may lose words
    faded: Collection[int] = ()
    #: page id → what the page will read as
    states: Mapping[int, PageState] = field(default_factory=dict)
    #: pages that will be new
    drafts: Sequence[PageDraft] = ()
    #: ids of pages that the drafts replace
    replaced: Collection[int] = ()


@dataclass(frozen=True)
class _Basis:
    """What terms were computed from."""

    #: message id → whether it is open, and how many of its characters are sealed
    messages: Mapping[int, tuple[bool, int]]
    #: message id → ids of the pages that hold it
    places: Mapping[int, Sequence[int]]
    #: page id → version
    versions: Mapping[int, int]

    @classmethod
    def of(
        cls, found: Collection[Message], spans: Mapping[int, Sequence[SpanRow]], rows: Mapping[int, PageRow]
    ) -> "_Basis":
        return cls(
            {message.id: (message.open, message.sealed_chars) for message in found},
            {i: [span.page_id for span in parts] for i, parts in spans.items()},
            {page_id: row.version for page_id, row in rows.items()},
        )


@dataclass(frozen=True)
class PreparedTerms:
    """Terms to be written with a change of pages."""

    basis: _Basis
    #: message id → terms with their counts
    counts: Mapping[int, Counter[str]]


class Reindexer:
    """Keeps the index to the words that the memory can still read."""

    def __init__(self, database: Database, index: SearchIndex, assembler: MessageAssembler) -> None:
        self.database = database
        self.index = index
        self.assembler = assembler

    def prepare(self, changes: PageChanges) -> PreparedTerms:
        """The terms of the messages that `changes` affects, as they will be. Pages may be decoded.

        Open messages keep their terms, because their text is exact, and so do messages of which a part could not be
        read this time.
        """
        if not changes.sealed and not changes.faded:
            return PreparedTerms(_Basis({}, {}, {}), {})
        with self.database.read() as connection:
            ids = sorted({*changes.sealed, *pages.messages_on(connection, changes.faded)})
            found = messages.by_ids(connection, ids)
            affected = [message for message in found.values() if not message.open or message.id in changes.sealed]
            stored = StoredMessages.fetch(connection, affected)
        basis = _Basis.of(found.values(), stored.spans, stored.pages)
        known = {**changes.states, **{draft.row.id: draft.state for draft in changes.drafts}}
        remembered = self.assembler.assemble(stored.with_pages(changes.drafts, changes.replaced), known)
        counts = {i: remembered_terms(item, found[i].name) for i, item in remembered.items() if not item.failed}
        return PreparedTerms(basis, counts)

    def is_current(self, connection: Connection, prepared: PreparedTerms) -> bool:
        """Whether nothing that the terms were computed from has changed since. If something has, prepare again."""
        basis = prepared.basis
        if not basis.messages:
            return True
        found = messages.by_ids(connection, sorted(basis.messages))
        spans = pages.spans_of_messages(connection, sorted(basis.places))
        rows = pages.by_ids(connection, sorted(basis.versions))
        return basis == _Basis.of(found.values(), spans, rows)

    def write(self, connection: Connection, bank_id: int, prepared: PreparedTerms) -> None:
        """Replaces the terms of the messages; one without any is removed from the index."""
        self.index.replace(connection, bank_id, {i: counts for i, counts in prepared.counts.items() if counts})
        self.index.remove(connection, bank_id, [i for i, counts in prepared.counts.items() if not counts])


def remembered_terms(message: RememberedMessage, name: str | None) -> Counter[str]:
    """Index terms of a message with their counts: those of its words that hold no flagged character and no gap, and
    those of `name`, its speaker."""
    flagged_before = np.concatenate([[0], np.cumsum(message.flagged)])
    gaps = set(message.gaps.tolist())
    counts = terms(name or "")
    for term, start, stop in term_runs(message.text):
        torn = gaps and _is_torn(message.text, gaps, start, stop)
        if flagged_before[stop] == flagged_before[start] and not torn:
            counts[term] += 1
    return counts


def _is_torn(text: str, gaps: Container[int], start: int, stop: int) -> bool:
    """Whether the term at these places is a piece of a word with a gap in it. In scripts without spaces, where a gap
    ends is where a word may begin."""
    at_start, at_stop = start - 1 in gaps, stop in gaps
    return (at_start and not is_unspaced(text[start])) or (at_stop and not is_unspaced(text[stop - 1]))
