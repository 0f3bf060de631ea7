"""The clock: calls `Memory.tick` at an interval. What a tick does, and that several at once do it once, is the
memory's affair."""

import time
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from foxing.memory import Memory
from foxing.memory.models import TickReport

from .logs import get_logger
from .metrics import Metrics


class Clock:
    """Ticks in a thread of its own from `start` to `stop`. A tick that fails is logged and counted, and the next one
    comes all the same; a tick that takes longer than the interval is not overtaken."""

    def __init__(self, memory: Memory, interval_s: float, metrics: Metrics) -> None:
        self._memory = memory
        self._metrics = metrics
        #: How many ticks came to their end, and how many failed as a whole.
        self.ticks = 0
        self.failures = 0
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._job = self._scheduler.add_job(
            self.tick, "interval", seconds=interval_s, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self, *, at_once: bool = False) -> None:
        """The first tick comes after one interval, or with `at_once` now."""
        if at_once:
            self._job.modify(next_run_time=datetime.now(UTC))
        self._scheduler.start()

    def stop(self) -> None:
        """Returns when a tick that is running has come to its end."""
        self._scheduler.shutdown(wait=True)

    def tick(self) -> TickReport | None:
        """One tick now; None when it failed."""
        log = get_logger()
        begun = time.perf_counter()
        try:
            report = self._memory.tick()
        except Exception:
            # Whatever it was, the next tick must come: the service stands on it.
            self.failures += 1
            self._metrics.tick_failures.inc()
            log.exception("tick failed")
            return None
        self.ticks += 1
        self._metrics.tick(report, time.time())
        for bank, reason in report.failed_banks.items():
            log.error("bank failed in tick", bank=bank, reason=reason)
        for bank, left in report.unreadable.items():
            log.warning("pages stay as they are", bank=bank, pages=len(left), first=left[0].page_id, why=left[0].reason)
        if report.sealed_pages or report.moved_pages or report.purged:
            log.info(
                "tick",
                sealed_pages=report.sealed_pages,
                moved_pages=report.moved_pages,
                purged=report.purged,
                duration_ms=round((time.perf_counter() - begun) * 1000, 1),
            )
        return report
