"""Writing pages: a lease while they are read and encoded, then one transaction that compares, swaps and reindexes.

Nothing is encoded or decoded within a transaction. If the process is killed, every page is intact, before or after its
change.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from foxing.encoder import Codec, capabilities_of
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages, trash
from foxing.memory.storage.repositories.pages import PageRow

from .content import StoredContents
from .indexing import PreparedTerms, Reindexer
from .ready_page import ChangedPages, PageChange, ReadyPage

LEASE = timedelta(seconds=60)
REMOTE_LEASE = timedelta(minutes=15)  # for a remote codec, whose requests may be retried many times
ATTEMPTS = 5  # to write a batch while other processes change its messages


@dataclass(frozen=True)
class DiscardTimes:
    """When old tokens and texts are moved to the trash, and when they are purged from it."""

    dropped_at: datetime
    purge_at: datetime


@dataclass(frozen=True)
class WriteRules:
    """What becomes of sharper versions of pages that are written, and of the index."""

    #: When what a page had before goes to the trash; None: it is deleted.
    discard: DiscardTimes | None = None
    #: Whether the trash is emptied of the page: what it holds fits only the page as it was.
    empties_trash: bool = False
    #: Whether pages will have more than before, so that what was said is embedded as well.
    restores: bool = False


#: Makes the changes of leased pages with these contents. No transaction is open meanwhile.
MakeChanges = Callable[[Sequence[PageRow], StoredContents], ChangedPages]


class PageWriter:
    """Writes pages and the terms of the messages on them."""

    def __init__(self, database: Database, reindexer: Reindexer) -> None:
        self.database = database
        self.reindexer = reindexer

    def change(
        self,
        codec: Codec,
        rows: Sequence[PageRow],
        make: MakeChanges,
        rules: WriteRules,
        *,
        pinned: bool = True,
        owner: str | None = None,
    ) -> ChangedPages:
        """Leases pages of one bank, has `make` change them and writes what has not been changed meanwhile.

        `pinned`: whether to change pinned pages as well. `owner`: who leases the pages, by default this call; another
        call for the same owner takes its leases over. Raises `StorageError` if contents are in an object storage that
        cannot be reached.
        """
        if not rows:
            return ChangedPages([], {})
        with self._leased(codec, rows, pinned=pinned, owner=owner or uuid.uuid4().hex) as ids:
            with self.database.read() as connection:  # nobody waits for object storage
                leased = [row for row in rows if row.id in ids]
                changed = pages.changed(connection, leased)  # erasure needs no lease
                leased = [row for row in leased if row.id not in changed]
                contents = pages.contents(connection, sorted(row.id for row in leased))
            if not leased:
                return ChangedPages([], {})
            ready = make(leased, contents)
            return ChangedPages(self._swap(leased[0].bank_id, ready.changes, rules), ready.left)

    @contextmanager
    def _leased(self, codec: Codec, rows: Sequence[PageRow], *, pinned: bool, owner: str) -> Iterator[Sequence[int]]:
        """Ids of those of the pages that are free and unchanged. They are released at the end; a lease expires if the
        process is killed."""
        clock = datetime.now(UTC)  # the real time, even if the caller's clock has been moved
        until = clock + (LEASE if capabilities_of(codec).remote is None else REMOTE_LEASE)
        with self.database.write() as connection:
            banks.lock(connection, rows[0].bank_id)
            ids = [row.id for row in rows if pages.lease(connection, row, owner, clock, until, pinned=pinned)]
        try:
            yield ids
        finally:
            if ids:
                with self.database.write() as connection:
                    banks.lock(connection, rows[0].bank_id)
                    pages.release(connection, ids, owner)

    def _swap(self, bank_id: int, changes: Sequence[PageChange], rules: WriteRules) -> Sequence[PageChange]:
        """Writes the pages that have not been changed meanwhile, and reindexes their messages."""
        for _ in range(ATTEMPTS):
            if not changes:
                break
            terms = self.reindexer.prepare(bank_id, changes, restored=rules.restores)
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                changed = pages.changed(connection, [change.page for change in changes])
                if not changed and self.reindexer.is_current(connection, terms):
                    self.write(connection, bank_id, changes, terms, rules)
                    return changes
            changes = [change for change in changes if change.page.id not in changed]
        return []

    def write(
        self,
        connection: Connection,
        bank_id: int,
        changes: Sequence[PageChange],
        terms: PreparedTerms,
        rules: WriteRules,
    ) -> None:
        """Writes pages that are as they were when the changes were made, and the terms of their messages, within the
        transaction of a bank that is locked."""
        for change in changes:
            _write(connection, change, rules)
        self.reindexer.write(connection, bank_id, terms)


def _write(connection: Connection, change: PageChange, rules: WriteRules) -> None:
    before = change.before
    if before is not None and not change.after:
        trash.delete_page(connection, before)
        return
    row = _insert(connection, change.after[0]) if before is None else before
    first, *others = change.after
    if before is not None and not pages.swap(connection, before, first.row, first.content, change.stored):
        return
    if rules.discard is not None:
        _discard(connection, row, change, rules.discard)
    if rules.empties_trash:
        trash.empty(connection, row)
    if change.entries:
        trash.remove(connection, change.entries)
    if before is not None and first.parts is not None:
        pages.replace_parts(connection, row, first.parts, first.added)
    added = [_insert(connection, page) for page in others]
    if added:  # messages of the page went to others
        pages.replace_ranges(connection, row.bank_id, [row.id, *(page.id for page in added)])


def _insert(connection: Connection, page: ReadyPage) -> PageRow:
    assert page.parts is not None
    return pages.insert(connection, page.row, page.content, page.parts, page.added)


def _discard(connection: Connection, row: PageRow, change: PageChange, times: DiscardTimes) -> None:
    """Puts what the page had before, and has no longer, into the trash."""
    before, after = change.stored, change.after[0]
    is_relaid = change.before is not None and after.parts is not None
    dropped = trash.DroppedPage(
        before.tokens if before.tokens != after.content.tokens else None,
        before.text if before.text != after.content.text else None,
        trash.pack_parts(connection, row) if is_relaid else None,
    )
    if any(part is not None for part in dropped):
        trash.drop(connection, row, dropped, dropped_at=times.dropped_at, purge_at=times.purge_at)
