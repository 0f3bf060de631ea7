"""The ageing scheduler: adds due work to the job queue at a fixed interval of monotonic time. Any number of schedulers,
in this process or others, may fill one queue: work that is already queued is not added again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from foxing.memory import Memory

from .logs import get_logger
from .metrics import Metrics


class _MonotonicScheduler(BackgroundScheduler):  # type: ignore[misc]
    """Runs one job whenever an interval of monotonic time has passed.

    APScheduler's triggers use the wall clock: if it is set back by three days, the next run is three days away, even
    after the clock has been corrected. Here the job is scheduled for the current time whenever it is due.
    """

    def __init__(self, call: Callable[[], None], interval_s: float) -> None:
        super().__init__(timezone=UTC)
        self._interval_s = interval_s
        self._due_at = time.monotonic() + interval_s
        self._call = self.add_job(
            call, "interval", seconds=interval_s, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self, *, at_once: bool) -> None:
        """Starts the scheduler. `at_once`: run the job immediately instead of after one interval."""
        self._due_at = time.monotonic() + (0 if at_once else self._interval_s)
        super().start()

    def _process_jobs(self) -> float:
        """Starts the job if it is due, and returns the seconds until it is due again. APScheduler calls this after that
        time and whenever a job has changed."""
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self._interval_s
            try:
                self._call.modify(next_run_time=datetime.now(UTC))
            except JobLookupError:  # another thread has shut the scheduler down since; its jobs are gone
                return 0.0
            super()._process_jobs()
        return max(0.0, self._due_at - time.monotonic())


class Clock:
    """Fills the job queue at each tick, in a background thread from `start` to `stop`. A failed tick is logged and
    counted, and the next one runs as usual. Ticks never overlap."""

    def __init__(
        self,
        memory: Memory,
        interval_s: float,
        metrics: Metrics,
        after_tick: Callable[[], object],
        *,
        fills: bool = True,
    ) -> None:
        """`interval_s`: seconds between ticks. `after_tick`: called after each tick, to wake the worker. `fills`: False
        in a process beside one that fills the queue; a tick then only writes what this process has still to write."""
        self._memory = memory
        self._metrics = metrics
        self._after_tick = after_tick
        self._fills = fills
        #: Number of completed ticks.
        self.ticks = 0
        #: Number of ticks that raised.
        self.failures = 0
        self._scheduler = _MonotonicScheduler(self.tick, interval_s)

    def start(self, *, at_once: bool = False) -> None:
        """Starts the scheduler. The first tick runs after one interval, or immediately with `at_once`."""
        self._scheduler.start(at_once=at_once)

    def stop(self) -> None:
        """Waits for a running tick and stops the scheduler."""
        self._scheduler.shutdown(wait=True)

    def tick(self) -> None:
        """Adds due work to the queue now."""
        try:
            if not self._fills:
                self._memory.operations.jobs.flush()
                return
            self._memory.operations.jobs.fill(self._memory.now())
        except Exception:
            # No error may stop the scheduler: the service depends on the next tick.
            self.failures += 1
            self._metrics.ageing.tick_failures.inc()
            get_logger().exception("tick failed")
            return
        self.ticks += 1
        self._metrics.ageing.record_tick(time.time())
        self._after_tick()
