"""Undo and erasure, as methods of a memory."""

from abc import ABC, abstractmethod
from datetime import datetime

from foxing.memory.clock import aware_utc
from foxing.memory.index.indexing import Reindexer
from foxing.memory.lifecycle.undo import Undoer
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.text.times import parse_since
from foxing.memory.values.reports import ErasureReport, UndoReport
from foxing.renderer import Progress

from .blanking import PageBlanker
from .erase import Eraser


class Forgetting(ABC):
    """What brings back what ageing dropped, and what erases for good."""

    def __init__(self, decoder: PageDecoder, others: PageDecoder, reindexer: Reindexer) -> None:
        """`others`: a decoder that reads the pages of all codecs."""
        database, index = reindexer.database, reindexer.index
        self._undoer = Undoer(database, decoder, reindexer)
        self._eraser = Eraser(database, PageBlanker(database, others, index.document_frequencies), reindexer)

    @abstractmethod
    def now(self, now: str | datetime | None = None, timezone: str | None = None) -> datetime:
        """`now`, or the time of the memory's clock."""

    def undo(
        self,
        bank: str,
        *,
        since: str | datetime | None = None,
        page: str | None = None,
        now: str | datetime | None = None,
        timezone: str | None = None,
        progress: Progress | None = None,
    ) -> UndoReport:
        """Brings back what ageing dropped, as it was, of a bank or of a `page`, and pins the pages, so that they do not
        age again before they are unpinned. Only what is within its undo window at `now` can be brought back.

        `since`: only what was dropped then or later: a time, or words such as “2 hours ago”. Of several versions, the
        first one after that is restored. Undoing again does nothing. `progress` counts pages. Raises `NotFound`,
        `InvalidTime`, and `Forgotten` for a `page` of which all that was dropped has been purged.
        """
        at = self.now(now, timezone)
        start = parse_since(since, at, timezone) if isinstance(since, str) else since and aware_utc(since)
        return self._undoer.undo(bank, at, since=start, page_key=page, progress=progress)

    def erase_message(self, bank: str, message_id: str) -> ErasureReport:
        """Erases a message for good: from its pages at every tier, the wastebasket, the index, and every other table.

        What else is on its pages stays and reads as before; sharper versions of these pages go, so that ageing that
        concerns them can no longer be undone. If the process is killed, the message is whole or gone. Raises
        `NotFound`, and `Unreadable` if a page with other messages cannot be read.
        """
        return self._eraser.erase_message(bank, message_id, self.now())

    def erase_thread(self, bank: str, thread: str, *, progress: Progress | None = None) -> ErasureReport:
        """Erases all messages of a thread for good, as `erase_message` does; those stored meanwhile stay. Erasing it
        again completes what was interrupted. `progress` counts messages.

        Raises `NotFound`, and `Unreadable` if some pages cannot be read, after everything else is erased.
        """
        return self._eraser.erase_thread(bank, thread, self.now(), progress=progress)

    def erase_bank(self, bank: str) -> ErasureReport:
        """Erases a bank for good with everything in it, records included, in one transaction. Raises `NotFound`."""
        return self._eraser.erase_bank(bank)
