"""The clock of ageing: calls `Memory.tick` at a fixed interval. The memory ensures that concurrent ticks, in this
process or another, do the work once."""

import time
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from foxing.memory import Memory
from foxing.memory.models import TickReport

from .logs import get_logger
from .metrics import Metrics


class Clock:
    """Ticks in a background thread from `start` to `stop`. A failed tick is logged and counted and does not stop the
    clock; ticks never overlap."""

    def __init__(self, memory: Memory, interval_s: float, metrics: Metrics) -> None:
        self._memory = memory
        self._metrics = metrics
        #: Number of completed ticks.
        self.ticks = 0
        #: Number of ticks that raised.
        self.failures = 0
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._job = self._scheduler.add_job(
            self.tick, "interval", seconds=interval_s, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self, *, at_once: bool = False) -> None:
        """Starts the clock. The first tick comes after one interval, or immediately with `at_once`."""
        if at_once:
            self._job.modify(next_run_time=datetime.now(UTC))
        self._scheduler.start()

    def stop(self) -> None:
        """Stops the clock, after waiting for a running tick."""
        self._scheduler.shutdown(wait=True)

    def tick(self) -> TickReport | None:
        """Runs one tick now. Returns None if it failed."""
        started = time.perf_counter()
        try:
            report = self._memory.tick()
        except Exception:
            # Whatever went wrong, the clock must go on: the service depends on the next tick.
            self.failures += 1
            self._metrics.ageing.tick_failures.inc()
            get_logger().exception("tick failed")
            return None
        self.ticks += 1
        self._metrics.ageing.record_tick(report, time.time())
        _log_tick(report, time.perf_counter() - started)
        return report


def _log_tick(report: TickReport, duration_s: float) -> None:
    log = get_logger()
    for bank, reason in report.failed_banks.items():
        log.error("bank failed in tick", bank=bank, reason=reason)
    for bank, pages in report.unreadable.items():
        log.warning(
            "unreadable pages left unchanged",
            bank=bank,
            pages=len(pages),
            first=pages[0].page_id,
            reason=pages[0].reason,
        )
    if report.sealed_pages or report.moved_pages or report.purged:
        log.info(
            "tick",
            sealed_pages=report.sealed_pages,
            moved_pages=report.moved_pages,
            purged=report.purged,
            duration_ms=round(duration_s * 1000, 1),
        )
