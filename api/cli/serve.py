"""`serve`: run the HTTP service."""

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .context import JsonOption, State, state_of
from .signals import StopSignals

if TYPE_CHECKING:
    from foxing.api.settings import Settings


def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (FOXING_HOST).", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on (FOXING_PORT).", show_default="8765")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes that serve the address (FOXING_PROCESSES).", show_default="1"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the HTTP service until SIGTERM or Ctrl-C. Logs go to stderr.

    An address other than loopback requires FOXING_API_KEY. With --json, print one document with the URL to stdout.
    A process that dies is replaced.
    """

    def show(url: str, console: Console) -> None:
        console.print(f"Listening on {url} (API reference: {url}/docs)")

    run_service(state_of(context), host, port, show, processes=processes)


def run_service(
    state: State, host: str | None, port: int | None, show: Callable[[str, Console], None], processes: int | None = None
) -> None:
    """Runs the service until SIGTERM or Ctrl-C. `show`: shows its URL once it listens. Raises `InvalidSettings`."""
    # Handled from the start: the imports take seconds, and in a container an unhandled SIGTERM is ignored. uvicorn
    # raises the signal again after it has stopped, and the memory must still be closed then.
    signals = StopSignals(signal.SIGTERM)
    from foxing.api.app import create_app
    from foxing.api.logs import configure_logs
    from foxing.api.memory_factory import open_memory
    from foxing.api.running_service import announced, sqlite_file
    from foxing.api.server import listen, run, url_of

    settings = state.settings(host=host, port=port, processes=processes).check_host().check_processes()
    if settings.processes > 1:
        _run_processes(state, settings, signals, show)
        return
    with (
        listen(settings.host, settings.port) as listener,
        open_memory(settings, embed_later=True, door="job") as memory,
        announced(sqlite_file(settings.database_url), *listener.getsockname()[:2]) as token,
    ):
        configure_logs(settings)
        url = url_of(listener)
        state.answer({"url": url}, lambda console: show(url, console))
        sys.stdout.flush()
        try:
            run(create_app(settings, memory, token=token), listener)
        except KeyboardInterrupt:
            return


def _run_processes(
    state: State, settings: "Settings", signals: StopSignals, show: Callable[[str, Console], None]
) -> None:
    """Runs the processes of a service until SIGTERM or Ctrl-C. The announcement is that of this process, their parent,
    at the address of the first."""
    from foxing.api.logs import configure_logs
    from foxing.api.member import Member
    from foxing.api.running_service import announced, sqlite_file
    from foxing.api.server import listen, url_of
    from foxing.api.supervisor import Supervisor, load_shared, shared_folder

    with listen(settings.host, settings.port) as listener, listen("127.0.0.1", 0) as first:
        load_shared(settings)
        configure_logs(settings, process=0)
        with (
            shared_folder() as folder,
            announced(sqlite_file(settings.database_url), *first.getsockname()[:2]) as token,
        ):
            members = [Member(number, url_of(first), folder, token) for number in range(1, settings.processes + 1)]
            url = url_of(listener)
            state.answer({"url": url}, lambda console: show(url, console))
            sys.stdout.flush()
            signals.handle(signal.SIGINT)
            signals.started()
            Supervisor(settings, listener, first, members).run(lambda: signals.wait(0))
