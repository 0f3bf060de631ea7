"""`foxing mcp`: the server over stdin and stdout, for clients that start it themselves."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import typer

if TYPE_CHECKING:
    from foxing.integrations.client import Connection
    from foxing.memory import Memory


#: Seconds for which a call of a service that is down is tried again: a model waits for the answer.
RETRY_FOR_S = 5.0

log = logging.getLogger(__name__)


class CommandState(Protocol):
    """What the command line hands to its commands."""

    def memory(self, *, create: bool = False) -> "AbstractContextManager[Memory]":
        """The memory that the settings name, closed on exit. `create`: whether a database that does not exist is
        created."""

    def settings(self) -> Any:
        """The effective settings."""


def mcp(
    context: typer.Context,
    service: Annotated[
        str | None,
        typer.Argument(
            help="Address of a running service, such as http://127.0.0.1:8765. Default: the database of the settings, "
            "in this process.",
            show_default=False,
        ),
    ] = None,
    bank: Annotated[
        str, typer.Option("--bank", "-b", help="Name of the bank, created with its first message.")
    ] = "main",
) -> None:
    """Run an MCP server over stdin and stdout, for Claude Desktop, Claude Code, Cursor, VS Code and other clients. The
    API key of a service comes from the settings. Needs the extra 'mcp'."""
    from foxing.renderer import PluginError

    try:
        from .banks import fixed
        from .server import make_server
    except ImportError as error:
        raise PluginError(f"{error.name} is not installed; run: pip install 'foxing[mcp]'") from error
    with _connected(cast(CommandState, context.obj), service, bank) as connection:
        make_server(fixed(connection)).run("stdio")


@contextmanager
def _connected(state: CommandState, service: str | None, bank: str) -> "Iterator[Connection]":
    """The bank, of a service or of the memory that the settings name. Raises `FoxingError`."""
    from foxing.integrations.client import ServiceOptions, connect

    if service is not None:
        options = ServiceOptions(service, state.settings().key, retry_for_s=RETRY_FOR_S)
        with connect(options, bank) as connection:
            yield connection
        return
    with (
        state.memory(create=True) as memory,
        _ticking(memory, state.settings()),
        connect(memory, bank) as connection,
    ):
        yield connection


@contextmanager
def _ticking(memory: "Memory", settings: Any) -> Iterator[None]:
    """Seals and ages what is due, as the clock of a service does, in a thread until the block ends."""
    ended = Event()

    def tick() -> None:
        from foxing.renderer import FoxingError

        while not ended.wait(settings.ageing_interval_s):
            try:
                memory.tick()
            except FoxingError as error:
                if not ended.is_set():
                    log.warning("ageing failed, and is tried again: %s", error)

    thread = Thread(target=tick, name="clock", daemon=True)
    if settings.ageing_enabled:
        thread.start()
    try:
        yield
    finally:
        ended.set()
