"""Writing of pages: leased while they are read and encoded, then compared, swapped and reindexed in one transaction,
with the images of their messages.

Nothing is encoded or decoded within a transaction. If the process is killed, every page is intact, either before or
after its change.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder import Codec
from foxing.encoder.capabilities import capabilities_of
from foxing.memory.errors import StorageError
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages, trash
from foxing.memory.storage.repositories.pages import PageRow
from foxing.memory.storage.repositories.sealed import changes
from foxing.renderer.clock import utc_now

from .content import StoredContents
from .image_ageing import ImageAgeing
from .indexing import PreparedTerms, Reindexer
from .ready_page import ChangedPages, PageChange, ReadyPage

LEASE = timedelta(seconds=60)
REMOTE_LEASE = timedelta(minutes=15)  # for a remote codec, which may retry requests many times
ATTEMPTS = 5  # at writing a batch while other processes change its messages


@dataclass(frozen=True)
class DiscardTimes:
    """Times at which replaced tokens and texts are moved to the trash and purged from it."""

    dropped_at: datetime
    purge_at: datetime


@dataclass(frozen=True)
class WriteRules:
    """Rules for replaced versions of written pages, and for the index."""

    #: Times for moving replaced contents to the trash; None: they are deleted.
    discard: DiscardTimes | None = None
    #: True to delete the page's trash entries, which fit only its old layout.
    empties_trash: bool = False
    #: True if pages regain text, so that their messages are embedded again as well.
    restores: bool = False


class _Lease(NamedTuple):
    """Lease of pages."""

    bank_id: int
    page_ids: Sequence[int]
    owner: str


#: Returns the changes to leased pages with these contents. Called outside any transaction.
MakeChanges = Callable[[Sequence[PageRow], StoredContents], ChangedPages]


class PageWriter:
    """Writes pages and the index terms of their messages."""

    def __init__(self, database: Database, reindexer: Reindexer) -> None:
        self.database = database
        self.reindexer = reindexer
        self.images = ImageAgeing(database)
        #: Leases that could not be released, because the disk was full, say.
        self._unreleased: list[_Lease] = []
        self._lock = Lock()

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
        """Leases pages of one bank, calls `make` for their changes and writes those whose pages are still unchanged.

        `pinned`: True to change pinned pages as well. `owner`: owner of the leases, by default unique to this call;
        another call for the same owner takes over its leases. Returns the changes that were written, and why other
        pages were left. Raises `StorageError` if contents are in an object storage that cannot be reached.
        """
        if not rows:
            return ChangedPages([], {})
        with self._leased(codec, rows, pinned=pinned, owner=owner or uuid.uuid4().hex) as ids:
            with self.database.read() as connection:  # holds no lock while object storage is read
                leased = [row for row in rows if row.id in ids]
                changed = pages.changed(connection, leased)  # erasure needs no lease
                leased = [row for row in leased if row.id not in changed]
                contents = pages.contents(connection, sorted(row.id for row in leased))
            if not leased:
                return ChangedPages([], {})
            ready = make(leased, contents)
            return ChangedPages(self._swap(leased[0].bank_id, ready.changes, rules), ready.reasons)

    @contextmanager
    def _leased(self, codec: Codec, rows: Sequence[PageRow], *, pinned: bool, owner: str) -> Iterator[Sequence[int]]:
        """Yields the ids of the pages that are free and unchanged, under a lease that is released at the end, or before
        the next lease in the bank if that fails. The lease expires if the process is killed."""
        bank_id = rows[0].bank_id
        clock = utc_now()  # real time, even if the caller's clock is shifted
        until = clock + (LEASE if capabilities_of(codec).remote is None else REMOTE_LEASE)
        with self._lock:
            unreleased = [lease for lease in self._unreleased if lease.bank_id == bank_id]
        with self.database.write() as connection:
            banks.lock(connection, bank_id)
            for lease in unreleased:
                pages.release(connection, lease.page_ids, lease.owner)
            ids = [row.id for row in rows if pages.lease(connection, row, owner, clock, until, pinned=pinned)]
        with self._lock:
            self._unreleased = [lease for lease in self._unreleased if lease not in unreleased]
        try:
            yield ids
        finally:
            if ids:
                self._release(_Lease(bank_id, ids, owner))

    def _release(self, lease: "_Lease") -> None:
        """Releases a lease, or notes it if that fails: the error of the work, if there is one, says more."""
        try:
            with self.database.write() as connection:
                banks.lock(connection, lease.bank_id)
                pages.release(connection, lease.page_ids, lease.owner)
        except StorageError:
            with self._lock:
                self._unreleased.append(lease)

    def _swap(self, bank_id: int, changes: Sequence[PageChange], rules: WriteRules) -> Sequence[PageChange]:
        """Writes the pages that are still unchanged and reindexes their messages. Returns the changes written."""
        scaled = self.images.prepare(bank_id, changes)
        purge_at = None if rules.discard is None else rules.discard.purge_at
        for _ in range(ATTEMPTS):
            if not changes:
                break
            terms = self.reindexer.prepare(bank_id, changes, restored=rules.restores)
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                changed = pages.changed(connection, [change.page for change in changes])
                if not changed and self.reindexer.is_current(connection, terms):
                    self.write(connection, bank_id, changes, terms, rules)
                    self.images.write(connection, bank_id, scaled, purge_at=purge_at, restores=rules.restores)
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
        """Writes changes and the terms of their messages within a transaction that holds the lock of the bank. The
        pages must be unchanged since the changes were made."""
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
    if added:  # messages of the page moved to other pages
        changes.locate_again(connection, row.bank_id, [row.id, *(page.id for page in added)])


def _insert(connection: Connection, page: ReadyPage) -> PageRow:
    assert page.parts is not None
    return pages.insert(connection, page.row, page.content, page.parts, page.added)


def _discard(connection: Connection, row: PageRow, change: PageChange, times: DiscardTimes) -> None:
    """Moves contents that the page no longer has to the trash."""
    before = change.stored
    after = change.after[0]
    is_relaid = change.before is not None and after.parts is not None
    dropped = trash.DroppedPage(
        before.tokens if before.tokens != after.content.tokens else None,
        before.text if before.text != after.content.text else None,
        trash.pack_parts(connection, row) if is_relaid else None,
    )
    if any(part is not None for part in dropped):
        trash.drop(connection, row, dropped, dropped_at=times.dropped_at, purge_at=times.purge_at)
