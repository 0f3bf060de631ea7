"""One tick of the scheduler: all work that is due, in all banks."""

import logging
from datetime import datetime

from foxing.renderer import FoxingError

from .errors import Closed
from .ingest.seal import Sealer
from .lifecycle.age import Ager
from .models import PageLeft, TickReport
from .policy import Policy
from .storage.database import Database
from .storage.repositories import banks, messages

log = logging.getLogger(__name__)


class Ticker:
    """Seals and ages the banks in which that is due."""

    def __init__(self, database: Database, sealer: Sealer, ager: Ager) -> None:
        self.database = database
        self.sealer = sealer
        self.ager = ager

    def tick(self, now: datetime) -> TickReport:
        """See `Memory.tick`."""
        with self.database.read() as connection:
            everyone = banks.everyone(connection)
        sealed = moved = purged = 0
        failed: dict[str, str] = {}
        unreadable: dict[str, list[PageLeft]] = {}
        for bank in everyone:
            try:
                sealed += self._seal_due(bank.name, Policy.parse(bank.policy), now)
                report = self.ager.age(bank.name, now)
                moved += len(report.moved)
                purged += report.purged
                if report.unreadable:
                    unreadable[bank.name] = report.unreadable
            except Closed:
                raise
            except FoxingError as error:
                failed[bank.name] = str(error)
            except Exception as error:  # an error in one bank must not stop the others
                log.exception("ageing of bank '%s' failed", bank.name)
                failed[bank.name] = f"{type(error).__name__}: {error}"
        return TickReport(
            now=now,
            sealed_pages=sealed,
            moved_pages=moved,
            purged=purged,
            failed_banks=failed,
            unreadable=unreadable,
        )

    def _seal_due(self, bank: str, policy: Policy, now: datetime) -> int:
        """Seals full pages, and all open messages if the oldest is due; number of new pages."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank).id
            oldest = messages.oldest_open(connection, bank_id)
            waiting = messages.count_open_chars(connection, bank_id)
        if oldest is None:
            return 0
        due = now - oldest >= policy.seal_after
        # headers and full-width characters take further cells, so a quarter of the cells in characters may fill a page
        if not due and waiting * 4 < self.sealer.codec.layout.cells:
            return 0
        return len(self.sealer.seal(bank, now, everything=due).pages)
