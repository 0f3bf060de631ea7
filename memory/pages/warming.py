"""Warming of the page cache, because the first reading of a page takes longer than a recall."""

import sys
import time
from collections.abc import Callable

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages

from .decoder import PageDecoder

AT_ONCE = 4  # pages, few enough not to delay a recall noticeably
PAUSE_S = 0.05  # while recalls wait for pages


class CacheWarmer:
    """Reads the newest pages of all banks into the cache."""

    def __init__(self, database: Database, decoder: PageDecoder) -> None:
        self.database = database
        self.decoder = decoder

    def warm(self, stopping: Callable[[], bool]) -> int:
        """Implements `Operations.warm`. Returns the number of pages read. `stopping`: polled between batches; ends the
        work when true."""
        codec = self.decoder.load()
        # other tiers take seconds per page or cost money
        quick = [tier for tier, spec in codec.tiers.items() if spec.streamed]
        exact = codec.layout.cells * 4  # bytes of a page in the cache; pages that are not exact also take confidences
        capacity = self.decoder.free_bytes // exact  # pages already cached take none
        before = sys.maxsize
        looked_at = 0
        while quick and looked_at < capacity and self.decoder.free_bytes >= 2 * exact * AT_ONCE and not stopping():
            if self.decoder.queue_depth:
                time.sleep(PAUSE_S)
                continue
            with self.database.read() as connection:
                rows = pages.newest(connection, codec.name, quick, before, AT_ONCE)
                contents = pages.contents(connection, [page.id for page in rows])
            if not rows:
                break
            self.decoder.read(rows, contents)
            before = rows[-1].id
            looked_at += len(rows)
        return looked_at
