"""`foxing mcp`: the MCP server over stdin and stdout, for clients that start it as a process."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, cast

import typer

from foxing.integrations.command_state import CommandState, ticking

if TYPE_CHECKING:
    from foxing.integrations.client import Connection
    from foxing.memory import Memory
    from foxing.renderer import Announcement

#: Seconds in which a running service proves that it is there, before the database is opened instead.
SERVICE_S = 5.0


def mcp(
    context: typer.Context,
    service: Annotated[
        str | None,
        typer.Argument(
            help="URL of a running service, such as http://127.0.0.1:8765. Default: the service that runs on the "
            "database of the settings, else the database in this process.",
            show_default=False,
        ),
    ] = None,
    bank: Annotated[
        str, typer.Option("--bank", "-b", help="Name of the bank. It is created with the first message.")
    ] = "main",
    project: Annotated[
        bool,
        typer.Option("--project", help="Use the bank of the repository in this folder, as hooks do (foxing install)."),
    ] = False,
    all_tools: Annotated[
        bool,
        typer.Option("--all-tools", help="Offer the tools of an operator too, for pages and their ageing."),
    ] = False,
) -> None:
    """Run an MCP server over stdin and stdout, for Claude Desktop, Claude Code, Cursor, VS Code and other clients.

    The API key of a service is read from the settings.
    """
    if project:
        from foxing.integrations.hooks.projects import bank_of

        bank = bank_of(Path.cwd())
    state = cast(CommandState, context.obj)
    if service is not None:
        from .bridge import RemoteService, run

        run(RemoteService(service, state.key()).connect, bank, all_tools=all_tools)
        return
    if (running := state.running_service()) is not None and _answers(running.announcement):
        from .bridge import local, run

        def find() -> "Announcement | None":
            service = state.running_service()
            return None if service is None else service.announcement

        run(local(find), bank, all_tools=all_tools)
        return
    from .banks import fixed
    from .server import make_server

    with _connected(state, bank) as connection:
        make_server(fixed(connection), all_tools=all_tools).run("stdio")


def _answers(service: "Announcement") -> bool:
    """Returns whether the service that an announcement names runs: it may have been killed."""
    try:
        service.http_connection(SERVICE_S, SERVICE_S).close()
    except OSError:
        return False
    return True


@contextmanager
def _connected(state: CommandState, bank: str) -> "Iterator[Connection]":
    """Connects to the bank of the memory of the settings. Raises `FoxingError`."""
    from foxing.integrations.client import connect

    with (
        state.memory(create=True) as memory,
        ticking(memory, state.settings()),
        _warming(memory, bank),
        connect(memory, bank) as connection,
    ):
        yield connection


@contextmanager
def _warming(memory: "Memory", bank: str) -> Iterator[None]:
    """Loads what a first recall needs in a thread, while the client greets the server, and exempts it from garbage
    collection."""

    def warm() -> None:
        from foxing.memory.garbage import exempt_loaded
        from foxing.renderer import FoxingError

        with suppress(FoxingError):
            memory.recall(bank, "what was said?", limit=1, min_relevance=1.0)
        exempt_loaded()

    thread = Thread(target=warm, name="warming", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
