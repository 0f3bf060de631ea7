"""Findings that need a person, as far as the service knows: at the top of every page, each with a link to the page that
mends it."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from foxing.api.dependencies import Service
from foxing.memory import Access

from .rendering import size, text_of, url

#: Seconds for which the result is held.
HELD_S = 5.0
#: Seconds by which the oldest job is overdue before somebody has to look.
STUCK_S = 900.0
#: Free space of the disk of the database below which somebody has to look: of the whole, and in bytes.
LOW_SHARE = 0.05
LOW_BYTES = 1 << 30
#: Banks whose quarantine is named.
NAMED = 3


@dataclass(frozen=True)
class AttentionItem:
    """Something that needs a person, and the page that mends it."""

    text: str
    path: str


class Attention:
    """Looks for what needs a person, for callers who may mend it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.memory = service.memory
        #: Tenant and patterns of a caller → when it was looked for, and the result.
        self._results: dict[object, tuple[float, list[AttentionItem]]] = {}

    async def items(self) -> list[AttentionItem]:
        """Returns what needs a person now; nothing for callers who are no admins."""
        access = Access.current()
        if not access.permits("admin"):
            return []
        key = (access.tenant, None if access.banks is None else tuple(access.banks))
        at, items = self._results.get(key, (0.0, []))
        if time.monotonic() - at > HELD_S or not at:
            items = await self.service.run(self._look, access)
            if len(self._results) > 1_000:
                self._results.clear()
            self._results[key] = (time.monotonic(), items)
        return items

    def discard(self) -> None:
        """Discards the results, which a change may have made wrong."""
        self._results.clear()

    def _look(self, access: Access) -> list[AttentionItem]:
        items = self._of_service() if access.tenant is None and access.banks is None else []
        waiting = self.memory.operations.quarantine.waiting()
        for bank, count in list(waiting.items())[:NAMED]:
            text = text_of("attention.quarantine", bank=access.own_name(bank), n=f"{count:,}")
            items.append(AttentionItem(text, url("/banks/{}/quarantine", bank)))
        if len(waiting) > NAMED:
            items.append(AttentionItem(text_of("attention.more", n=len(waiting) - NAMED), url("/banks")))
        return items

    def _of_service(self) -> list[AttentionItem]:
        jobs = self.memory.operations.jobs
        length = jobs.length()
        items = []
        if length.failed:
            items.append(AttentionItem(text_of("attention.failed", n=f"{length.failed:,}"), url("/health")))
        overdue_s = jobs.lag(self.memory.now()).oldest_job_s if length.waiting else 0.0
        if overdue_s > STUCK_S and not length.running:
            text = text_of("attention.stuck", n=f"{overdue_s / 60:,.0f}")
            items.append(AttentionItem(text, url("/health")))
        space = disk_space(self.memory.operations.database_url)
        if space is not None and space.is_low:
            text = text_of("attention.disk", free=size(space.free_bytes))
            items.append(AttentionItem(text, url("/health")))
        return items


@dataclass(frozen=True)
class DiskSpace:
    """Space of the disk that holds a SQLite database."""

    free_bytes: int
    total_bytes: int

    @property
    def is_low(self) -> bool:
        """True if somebody has to make room."""
        return self.free_bytes < min(LOW_BYTES, self.total_bytes * LOW_SHARE)


def disk_space(database_url: str) -> DiskSpace | None:
    """Returns the space of the disk of a SQLite file; None for another database."""
    location = make_url(database_url)
    if location.get_backend_name() != "sqlite" or not location.database or location.database.startswith(":"):
        return None
    try:
        usage = shutil.disk_usage(Path(location.database).parent)
    except OSError:
        return None
    return DiskSpace(usage.free, usage.total)
