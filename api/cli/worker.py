"""`worker`: seal and age the pages of all banks."""

import signal
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console

from foxing.memory import TickReport

from .context import JsonOption, state_of
from .output import write_json
from .signals import StopSignals


def worker(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Fill and process the queue once, then exit.")] = False,
    http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve /healthz, /readyz and /metrics at this address (FOXING_WORKER_HTTP); not with --once.",
            show_default="none",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Seal and age the pages of all banks as they become due, until SIGTERM or Ctrl-C.

    Every FOXING_AGEING_INTERVAL_S seconds, due work is added to a queue of jobs, which any number of workers process.
    FOXING_AGEING_ENABLED has no effect here: it controls the scheduler of `serve`. With --json, the report of --once,
    or on exit the number of ticks and jobs, is printed to stdout. --once exits with status 1 if a bank failed.
    """
    # Handled from the start: the imports take seconds, and in a container an unhandled SIGTERM is ignored.
    signals = None if once else StopSignals(signal.SIGTERM, signal.SIGINT)
    from foxing.api.logs import configure_logs
    from foxing.api.memory_factory import open_memory
    from foxing.api.metrics import Metrics
    from foxing.api.reloading import Reloader
    from foxing.api.scheduler import Clock
    from foxing.api.settings import Settings
    from foxing.api.tracing import Tracing, traced
    from foxing.api.worker import Worker
    from foxing.api.worker_http import answering, listen_for
    from foxing.memory.telemetry import watch

    state = state_of(context)
    settings = state.settings(worker_http=http)
    tracing = Tracing.chosen(settings)
    with ExitStack() as stack:
        listener = None if once else listen_for(settings)
        if listener is not None:
            stack.enter_context(listener)
        memory = stack.enter_context(open_memory(settings, door="job"))
        stack.enter_context(traced(tracing))
        if signals is None:
            report = memory.tick()
            state.answer(report, lambda console: _show(console, report))
            if report.failed_banks:
                raise typer.Exit(1)
            return
        configure_logs(settings)
        metrics = Metrics()
        metrics.watch(memory)
        stack.callback(watch(metrics.operations.watch))
        jobs = Worker(memory, metrics)
        clock = Clock(memory, settings.ageing_interval_s, metrics, jobs.call)
        http_app = None
        reloader = Reloader(settings, Settings.for_worker, configure_logs)
        if listener is not None:
            http_app = stack.enter_context(answering(settings, memory, metrics, listener))
            reloader = http_app.state.reloader
        if hasattr(signal, "SIGHUP"):  # not on Windows
            signal.signal(signal.SIGHUP, reloader)
        signals.started()
        jobs.start()
        clock.start(at_once=True)
        signals.wait()
        if http_app is not None:
            http_app.state.service.draining.set()
        clock.stop()
        jobs.stop()
    if state.as_json:
        write_json(
            {"ticks": clock.ticks, "failed_ticks": clock.failures, "jobs": jobs.done, "failed_jobs": jobs.failed}
        )


def _show(console: Console, report: TickReport) -> None:
    console.print(
        f"{report.sealed_pages} pages sealed, {report.moved_pages} moved to a lower tier, "
        f"{report.purged} trash entries purged, {len(report.failed_banks)} banks failed, "
        f"{sum(map(len, report.unreadable.values()))} unreadable pages skipped"
    )
