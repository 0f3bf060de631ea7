"""`console`: open the console in a browser."""

import webbrowser
from typing import Annotated

import typer
from rich.console import Console

from .context import JsonOption, state_of
from .serve import run_service

PATH = "/console/banks"


def console(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on (FOXING_PORT).", show_default="8765")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Open the console of the service that runs on the database; start one if there is none.

    The service that it starts runs until Ctrl-C."""
    state = state_of(context)
    service = state.running_service()
    if service is not None and service.get("/healthz") is not None:
        url = f"{service.url}{PATH}"
        state.answer({"url": url}, lambda output: output.print(f"The console is at {url}"))
        _open(url, browser)
        return

    def show(url: str, output: Console) -> None:
        output.print(f"The console is at {url}{PATH}")
        _open(f"{url}{PATH}", browser)

    run_service(state, None, port, show)


def _open(url: str, browser: bool) -> None:
    if browser:
        webbrowser.open(url)
