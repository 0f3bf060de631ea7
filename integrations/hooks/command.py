"""`foxing hook`: what `foxing-hook` does, for settings that are written by hand."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, cast

import typer

from .hosts import HOSTS

if TYPE_CHECKING:
    HostName: TypeAlias = str
else:
    #: Name of a host, one of those that have a row.
    HostName = Literal[tuple(HOSTS)]


def hook(
    context: typer.Context,
    event: Annotated[str, typer.Argument(help="Event, as the tool names it, such as UserPromptSubmit.")],
    tool: Annotated[HostName, typer.Option(help="The coding agent that calls.")] = "claude-code",
    bank: Annotated[
        str | None,
        typer.Option("--bank", "-b", help="Name of the bank. Default: that of the project.", show_default=False),
    ] = None,
    banks: Annotated[
        str | None, typer.Option(help="Further banks that prompts are answered from.", show_default=False)
    ] = None,
) -> None:
    """Answer an event of a coding agent: reads its JSON document from stdin, and prints what it is to read.

    Never fails: without an answer in time it prints nothing. The program foxing-hook HOST EVENT does the same, and
    starts ten times as fast; foxing install writes that one.
    """
    from foxing.integrations.command_state import CommandState

    from .client import MOST_BYTES, handle, limit_s
    from .install import database_of
    from .places import default_database, note

    database = default_database()
    try:
        database = database_of(cast(CommandState, context.obj)) or database
        names = (bank or "") + ("" if banks is None else f",{banks}")
        payload = sys.stdin.buffer.read(MOST_BYTES)
        answer = handle(tool, event, names, database, payload, time.monotonic() + limit_s(tool, event))
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
    except Exception as error:  # an agent must not fail because of its memory
        note(database, f"{tool} {event}: {type(error).__name__}: {error}")
