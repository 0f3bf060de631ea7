"""`serve` and `worker`: the processes that stay."""

import signal
import sys
import threading
from types import FrameType
from typing import Annotated

import typer

from .context import JsonOption, state_of, write_json


def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (FOXING_HOST).", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on (FOXING_PORT).", show_default="8765")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the HTTP service until SIGTERM or Ctrl-C. Logs go to stderr.

    An address other than loopback needs FOXING_API_KEY. With --json: one document with the address on stdout.
    """
    from foxing.api.app import create_app
    from foxing.api.logs import configure_logs
    from foxing.api.opening import open_memory
    from foxing.api.server import listen, run, url_of

    state = state_of(context)
    settings = state.settings(host=host, port=port).check_host()
    with listen(settings.host, settings.port) as listener, open_memory(settings) as memory:
        configure_logs(settings)
        # uvicorn raises the signal again once it has stopped; without a handler that would end the process before
        # the memory is closed.
        signal.signal(signal.SIGTERM, _leave)
        url = url_of(listener)
        state.answer({"url": url}, lambda console: console.print(f"Foxing listens on {url} (reference: {url}/docs)"))
        sys.stdout.flush()
        try:
            run(create_app(settings, memory), listener)
        except KeyboardInterrupt:
            return


def _leave(number: int, frame: FrameType | None) -> None:
    raise typer.Exit(0)


def worker(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One tick, then end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Seal and age all banks at FOXING_AGEING_INTERVAL_S, without HTTP, until SIGTERM or Ctrl-C.

    It ticks whatever FOXING_AGEING_ENABLED says: that setting stops the clock of `serve`. With --json: the report
    of --once on stdout, or the number of ticks at the end.
    """
    from foxing.api.logs import configure_logs
    from foxing.api.metrics import Metrics
    from foxing.api.opening import open_memory
    from foxing.api.scheduler import Clock

    state = state_of(context)
    settings = state.settings()
    with open_memory(settings) as memory:
        if once:
            report = memory.tick()
            state.answer(
                report,
                lambda console: console.print(
                    f"{report.sealed_pages} pages sealed, {report.moved_pages} moved to a lower tier, "
                    f"{report.purged} entries of the wastebasket purged, {len(report.failed_banks)} banks failed, "
                    f"{sum(map(len, report.unreadable.values()))} pages cannot be read and stay"
                ),
            )
            if report.failed_banks:
                raise typer.Exit(1)
            return
        configure_logs(settings)
        clock = Clock(memory, settings.ageing_interval_s, Metrics())
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        clock.start(at_once=True)
        stop.wait()
        clock.stop()
    if state.as_json:
        write_json({"ticks": clock.ticks, "failed": clock.failures})
