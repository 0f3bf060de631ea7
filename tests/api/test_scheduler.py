"""The clock of the service."""

import logging
import math
import sys
import time
from datetime import UTC, datetime, timedelta, tzinfo
from threading import Event, Thread

import pytest
from support.databases import execute
from support.service import metric_samples, serve

from foxing.api import scheduler
from foxing.api.metrics import Metrics
from foxing.api.scheduler import Clock
from foxing.memory import Memory
from tests.support.waiting import wait_until

pytestmark = pytest.mark.both_databases

WAIT_S = 60.0


def test_the_clock_seals_and_ages(memory: Memory) -> None:
    memory.store("b", [{"role": "user", "content": "soon a page", "created_at": datetime.now(UTC) - timedelta(days=9)}])
    memory.set_policy("b", {"age_from": "message", "steps": [{"after": "P7D", "tier": "tiny"}], "seal_after": "P1D"})
    with serve(memory, ageing_enabled=True, ageing_interval_s=0.05) as client:
        wait_until(lambda: [page.tier for page in memory.pages("b").pages] == ["tiny"])
        wait_until(lambda: metric_samples(client).get("foxing_pages_aged_total{trigger=tick}") == 1)
        samples = metric_samples(client)
    assert samples["foxing_pages_sealed_total{trigger=tick}"] == 1
    assert samples["foxing_ticks_total"] >= 1
    assert samples["foxing_tick_failures_total"] == 0
    assert time.time() - samples["foxing_last_tick_timestamp_seconds"] < WAIT_S


def test_a_failed_tick_is_counted_and_does_not_stop_the_clock(
    memory: Memory, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(memory, ageing_enabled=True, ageing_interval_s=0.02) as client:
        execute(database_url, "ALTER TABLE schedule RENAME TO elsewhere")
        wait_until(lambda: metric_samples(client)["foxing_tick_failures_total"] >= 2)
        assert client.get("/healthz").status_code == 200
        before = metric_samples(client)["foxing_ticks_total"]
        execute(database_url, "ALTER TABLE elsewhere RENAME TO schedule")
        wait_until(lambda: metric_samples(client)["foxing_ticks_total"] > before)
    assert any("tick failed" in record.getMessage() for record in caplog.records)


def test_the_clock_can_be_disabled(memory: Memory) -> None:
    with (
        serve(memory, ageing_enabled=False, ageing_interval_s=0.01) as client,
        serve(memory, ageing_enabled=True, ageing_interval_s=0.01) as other,
    ):
        wait_until(lambda: metric_samples(other)["foxing_ticks_total"] >= 3)
        assert metric_samples(client)["foxing_ticks_total"] == 0


def test_the_first_tick_can_come_at_once(memory: Memory) -> None:
    called: list[int] = []
    clock = Clock(memory, 3600, Metrics(), lambda: called.append(1))
    clock.start(at_once=True)
    wait_until(lambda: clock.ticks == 1)
    clock.stop()
    assert clock.failures == 0
    assert called == [1]


def test_the_clock_can_be_stopped_while_it_plans_a_tick(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in its thread is one of this test."""
    clock = Clock(memory, 3600, Metrics(), lambda: None)
    stopping, stopped = Thread(target=clock.stop), Event()

    class ShutDown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "Scheduler has been shut down":
                stopped.set()

    class Planning(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Planning":
            stopping.start()
            assert stopped.wait(WAIT_S)
            return cls.fromtimestamp(time.time(), tz)

    monkeypatch.setattr(scheduler, "datetime", Planning)
    log, handler = logging.getLogger("apscheduler.scheduler"), ShutDown()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        clock.start(at_once=True)
        assert stopped.wait(WAIT_S)
        stopping.join()
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert (clock.ticks, clock.failures) == (0, 0)


def test_metrics_show_jobs_that_wait_and_jobs_that_failed(memory: Memory, database_url: str) -> None:
    """A broken policy stands in for whatever makes a job fail."""
    memory.store("b", [{"role": "user", "content": "soon a page"}])
    execute(database_url, "UPDATE banks SET policy = :policy", policy='{"fresh": "none"}')
    with serve(memory, ageing_enabled=True, ageing_interval_s=0.05) as client:
        wait_until(lambda: metric_samples(client).get("foxing_job_failures_total{kind=seal}") == 1)
        wait_until(lambda: metric_samples(client)["foxing_jobs_failed"] == 1)
        samples = metric_samples(client)
    assert samples["foxing_jobs_waiting"] == 1
    assert samples["foxing_tick_failures_total"] == 0


def test_metrics_are_answered_while_the_queue_cannot_be_read(memory: Memory, database_url: str) -> None:
    with serve(memory) as client:
        execute(database_url, "ALTER TABLE jobs RENAME TO elsewhere")
        assert math.isnan(metric_samples(client)["foxing_jobs_waiting"])


class SteppingClock:
    """The wall clock of this process, as APScheduler, the memory and the clock of ageing ask for it."""

    shift = timedelta(0)

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = self

        class Stepped(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> "Stepped":
                return cls.fromtimestamp(time.time(), tz) + clock.shift

        for name, module in list(sys.modules.items()):
            asks = name.startswith(("apscheduler.", "foxing.api.scheduler", "foxing.renderer.clock"))
            if asks and getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", Stepped)


@pytest.mark.parametrize("shift", [timedelta(days=-3), timedelta(days=3653)], ids=["back", "forward"])
def test_a_step_of_the_wall_clock_delays_no_tick(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, shift: timedelta
) -> None:
    wall = SteppingClock(monkeypatch)
    clock = Clock(memory, 0.02, Metrics(), lambda: None)

    def ticks_on() -> None:
        before = clock.ticks
        wait_until(lambda: clock.ticks >= before + 3)

    clock.start()
    try:
        ticks_on()
        wall.shift = shift
        ticks_on()
        wall.shift = timedelta(0)
        ticks_on()
    finally:
        clock.stop()
    assert clock.failures == 0
