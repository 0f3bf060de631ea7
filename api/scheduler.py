"""The clock of ageing: puts what is due into the queue of jobs at a fixed interval, whatever the wall clock does. Any
number of clocks, in this process or another, fill one queue: work that is in it already is not added again."""

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

    A trigger of APScheduler plans by the wall clock: when that steps back three days, the next run is three days away,
    and stays there after the clock is right again. Here the job is planned for the present each time that it is due.
    """

    def __init__(self, call: Callable[[], None], interval_s: float) -> None:
        super().__init__(timezone=UTC)
        self._interval_s = interval_s
        self._due_at = time.monotonic() + interval_s
        self._call = self.add_job(
            call, "interval", seconds=interval_s, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self, *, at_once: bool) -> None:
        self._due_at = time.monotonic() + (0 if at_once else self._interval_s)
        super().start()

    def _process_jobs(self) -> float:
        """Starts the job if it is due; returns the seconds until it is due again. APScheduler calls it after that time
        and whenever a job has changed."""
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
    """Ticks in a background thread from `start` to `stop`. A failed tick is logged and counted and does not stop the
    clock; ticks never overlap."""

    def __init__(self, memory: Memory, interval_s: float, metrics: Metrics, after_tick: Callable[[], object]) -> None:
        """`after_tick`: called after each tick, to wake the worker."""
        self._memory = memory
        self._metrics = metrics
        self._after_tick = after_tick
        #: Number of completed ticks.
        self.ticks = 0
        #: Number of ticks that raised.
        self.failures = 0
        self._scheduler = _MonotonicScheduler(self.tick, interval_s)

    def start(self, *, at_once: bool = False) -> None:
        """Starts the clock. The first tick comes after one interval, or immediately with `at_once`."""
        self._scheduler.start(at_once=at_once)

    def stop(self) -> None:
        """Stops the clock, after waiting for a running tick."""
        self._scheduler.shutdown(wait=True)

    def tick(self) -> None:
        """Fills the queue now."""
        try:
            self._memory.jobs.fill(self._memory.now())
        except Exception:
            # Whatever went wrong, the clock must go on: the service depends on the next tick.
            self.failures += 1
            self._metrics.ageing.tick_failures.inc()
            get_logger().exception("tick failed")
            return
        self.ticks += 1
        self._metrics.ageing.record_tick(time.time())
        self._after_tick()
