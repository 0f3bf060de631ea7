"""Leases: while a process holds one on a page, no other process changes the page."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from foxing.encoder import Codec, capabilities_of
from foxing.memory.pages.content import StoredContents
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages
from foxing.memory.storage.repositories.pages import PageRow

LEASE = timedelta(seconds=60)
REMOTE_LEASE = timedelta(minutes=15)  # for a remote codec, whose requests may be retried many times


@dataclass(frozen=True)
class LeasedPages:
    """The pages that were leased."""

    ids: frozenset[int]
    contents: StoredContents


@contextmanager
def lease_pages(
    database: Database, codec: Codec, candidates: Sequence[PageRow], *, pinned: bool, owner: str | None = None
) -> Iterator[LeasedPages]:
    """Leases those of `candidates`, of one bank, that are free and unchanged, and releases them at the end; a lease
    expires if the process is killed. `pinned`: whether to lease pinned pages as well. `owner`: who holds them, by
    default this call; another call for the same owner takes its leases over. Raises `StorageError` if contents are in
    an object storage that cannot be reached."""
    owner = owner or uuid.uuid4().hex
    clock = datetime.now(UTC)  # the real time, even if the caller's clock has been moved
    until = clock + (LEASE if capabilities_of(codec).remote is None else REMOTE_LEASE)
    with database.write() as connection:
        if candidates:
            banks.lock(connection, candidates[0].bank_id)
        ids = [page.id for page in candidates if pages.lease(connection, page, owner, clock, until, pinned=pinned)]
    try:
        with database.read() as connection:  # nobody waits for object storage
            leased = [page for page in candidates if page.id in ids]
            held = frozenset(ids) - pages.changed(connection, leased)  # erasure needs no lease
            contents = pages.contents(connection, sorted(held))
        yield LeasedPages(held, contents)
    finally:
        if ids:
            with database.write() as connection:
                banks.lock(connection, candidates[0].bank_id)
                pages.release(connection, ids, owner)
