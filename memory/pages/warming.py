"""Fills the page cache before anyone asks: reading a page for the first time takes longer than a recall."""

import sys
import time
from collections.abc import Callable

from foxing.encoder import Codec
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.pages import PageRow

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
        largest = codec.layout.cells * 8  # bytes of a page in the cache: its cells and their confidence
        before, read = sys.maxsize, 0
        while not stopping() and self.decoder.free_bytes >= AT_ONCE * largest:
            if self.decoder.queue_depth:
                time.sleep(PAUSE_S)
                continue
            with self.database.read() as connection:
                found = pages.newest(connection, before, AT_ONCE)
                quick = [page for page in found if _is_quick(page, codec)]
                contents = pages.contents(connection, [page.id for page in quick])
            if not found:
                break
            before = found[-1].id
            self.decoder.read(quick, contents)
            read += len(quick)
        return read


def _is_quick(page: PageRow, codec: Codec) -> bool:
    """Whether the codec reads the page in milliseconds. Printed pages take seconds each, and some are charged for."""
    return page.codec == codec.name and page.tier in codec.tiers and codec.tiers[page.tier].streamed
