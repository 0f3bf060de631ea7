"""Pages in the hands of one process: nobody else changes them meanwhile, and after a crash they are free again."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from foxing.encoder import Codec, capabilities_of
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.pages import PageContent, PageRow

LEASE = timedelta(seconds=60)
LEASE_ELSEWHERE = timedelta(minutes=15)  # where a server reads the pages, which may be tried again and again

Contents = dict[int, PageContent]  # page id → tokens, kept text


@dataclass(frozen=True)
class Leased:
    """The ids of the pages that were free, and what stands on them."""

    ids: frozenset[int]
    contents: Contents


@contextmanager
def lease_pages(database: Database, codec: Codec, wanted: Sequence[PageRow], *, pinned: bool) -> Iterator[Leased]:
    """Leases those of the pages that are free and unchanged; with `pinned` pinned ones as well."""
    owner = uuid.uuid4().hex
    clock = datetime.now(UTC)  # leases run on the real clock, whatever time the caller takes it for
    until = clock + (LEASE if capabilities_of(codec).remote is None else LEASE_ELSEWHERE)
    with database.write() as connection:
        ids = [page.id for page in wanted if pages.lease(connection, page, owner, clock, until, pinned=pinned)]
        contents = pages.contents(connection, ids)
    try:
        yield Leased(frozenset(ids), contents)
    finally:
        if ids:
            with database.write() as connection:
                pages.release(connection, ids, owner)
