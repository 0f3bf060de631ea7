"""`foxing proxy`: a proxy between an agent and its model."""

import ipaddress
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

import typer

from foxing.integrations.command_state import CommandState, ticking

if TYPE_CHECKING:
    from foxing.integrations.client import Target
    from foxing.memory import Memory

#: Port on which the proxy listens.
PORT = 8788
_RETRY_FOR_S = 0.001


def _set_json(context: typer.Context, requested: bool) -> None:
    cast(CommandState, context.obj).as_json = requested


def proxy(
    context: typer.Context,
    upstream: Annotated[
        str,
        typer.Option(help="Base URL of the provider, such as https://api.anthropic.com or https://api.openai.com/v1."),
    ],
    service: Annotated[
        str | None,
        typer.Option(
            help="URL of the service that holds the bank. Default: the service that runs on the database of the "
            "settings, else the database in this process.",
            show_default=False,
        ),
    ] = None,
    bank: Annotated[
        str | None,
        typer.Option(
            "--bank",
            "-b",
            help="Name of the bank. It is created with the first message. Default: that of the repository in this "
            "folder, as for hooks and foxing mcp --project; main outside of one.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1_000,
            help="Maximum number of tokens to send. Default: three quarters of the window of the model that a request "
            "names, or of the part of it that costs the ordinary price; 96,000 for an unknown one.",
            show_default=False,
        ),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(help="Reader to fold for. Default: the model that a request names.", show_default=False),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for a free one.")] = PORT,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Pass requests on as they come, and only measure what folding would send. Stores nothing."
        ),
    ] = False,
    remember: Annotated[
        bool, typer.Option(help="Store each turn that passes; otherwise only those that are folded.")
    ] = True,
    fold_limit: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a fold may take before the request goes out unfolded.")
    ] = 10.0,
    as_json: Annotated[
        bool, typer.Option("--json", callback=_set_json, is_eager=True, help="Print the result as JSON.")
    ] = False,
) -> None:
    """Run a proxy between agents and their model, which folds long conversations, until SIGTERM or Ctrl-C.

    Point the agent at it: ANTHROPIC_BASE_URL=http://127.0.0.1:8788, or OPENAI_BASE_URL=http://127.0.0.1:8788/v1. An
    address other than loopback requires an API key in the settings, which requests then send in the header
    x-foxing-key. Keys of the provider are passed on, and neither stored nor logged. Requires the extra 'proxy'.
    """
    # from the start: the imports take seconds, and a signal then must not end the process halfway
    signal.signal(signal.SIGTERM, _interrupt)
    from foxing.integrations.client.connection import name_of
    from foxing.integrations.hooks.projects import default_bank
    from foxing.integrations.outbox.file import outbox_path
    from foxing.memory import InvalidInput
    from foxing.renderer import PluginError

    try:
        import websockets  # noqa: F401

        from .app import make_app
        from .options import ProxyOptions
        from .server import listen, server_of, url_of
    except ImportError as error:
        raise PluginError(f"{error.name} is not installed; run: pip install 'foxing-client[proxy]'") from error
    state = cast(CommandState, context.obj)
    key = state.key()
    if not _is_loopback(host) and key is None:
        raise InvalidInput(
            f"without an API key the proxy only serves this machine; set one to listen on {host}"
        ).naming("api_key")
    _check_url(upstream)
    bank = default_bank(Path.cwd()) if bank is None else bank
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    holder = service or state.database_url()
    options = ProxyOptions(
        upstream=upstream,
        bank=bank,
        budget=budget,
        reader=reader,
        host=host,
        key=None if _is_loopback(host) else key,
        dry_run=dry_run,
        remember=remember,
        memory=name_of(holder) if holder else "default",
        journal=outbox_path("proxy"),
        fold_s=fold_limit,
    )
    with ExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        server = server_of(make_app(options, _finder(state, service, stack)), options, own_process=True)
        url = url_of(listener)
        said = f"Listening on {url}, passing on to {upstream}; bank {bank}"
        state.answer({"url": url, "bank": bank}, lambda console: console.print(said))
        sys.stdout.flush()
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str) -> None:
    from foxing.memory import InvalidInput

    try:
        valid = url.startswith(("http://", "https://")) and bool(urlsplit(url).hostname)
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInput("--upstream must be a URL such as https://api.anthropic.com")


def _finder(state: CommandState, service: str | None, stack: ExitStack) -> "Callable[[], Target]":
    """Returns what finds the bank: a service that is named or that runs, else the memory of the settings, which is
    opened once."""
    from foxing.integrations.client import ServiceOptions

    from .bank import LocalService

    key = state.key()
    opened: list[Memory] = []

    def find() -> "Target":
        if service is not None:
            return ServiceOptions(service, key, retry_for_s=_RETRY_FOR_S)
        running = state.running_service()
        if running is not None and not opened:
            return LocalService(running.url, retry_for_s=_RETRY_FOR_S, announcement=running.announcement)
        if not opened:
            memory = stack.enter_context(state.memory(create=True, embed_later=True))
            stack.enter_context(ticking(memory, state.settings()))
            opened.append(memory)
        return opened[0]

    return find
