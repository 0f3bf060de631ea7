"""Fills the page cache before anyone asks: reading a page for the first time takes longer than a recall."""

import sys
import time
from collections.abc import Callable

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages

from .decoder import PageDecoder

AT_ONCE = 4  # pages, few enough that a recall does not wait for them noticeably
PAUSE_S = 0.05  # while recalls wait for pages


class CacheWarmer:
    """Reads the newest pages of all banks."""

    def __init__(self, database: Database, decoder: PageDecoder) -> None:
        self.database = database
        self.decoder = decoder

    def warm(self, stopping: Callable[[], bool]) -> int:
        """See `Memory.warm`."""
        codec = self.decoder.load()
        # the others take seconds a page, or are charged for
        quick = [tier for tier, spec in codec.tiers.items() if spec.streamed]
        exact = codec.layout.cells * 4  # bytes of a page in the cache; others have confidences as well
        most = self.decoder.free_bytes // exact  # that have been read already take none
        before, looked_at = sys.maxsize, 0
        while quick and looked_at < most and self.decoder.free_bytes >= 2 * exact * AT_ONCE and not stopping():
            if self.decoder.queue_depth:
                time.sleep(PAUSE_S)
                continue
            with self.database.read() as connection:
                found = pages.newest(connection, codec.name, quick, before, AT_ONCE)
                contents = pages.contents(connection, [page.id for page in found])
            if not found:
                break
            self.decoder.read(found, contents)
            before = found[-1].id
            looked_at += len(found)
        return looked_at
