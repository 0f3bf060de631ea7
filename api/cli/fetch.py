"""`fetch`: show the messages of references."""

from typing import Annotated

import typer
from rich.console import Console

from .context import BankOption, JsonOption, TimezoneOption, state_of
from .output import printable
from .recall import show_span


def fetch(
    context: typer.Context,
    refs: Annotated[
        list[str], typer.Argument(metavar="REF…", help="References, such as k7q, from page images or texts.")
    ],
    bank: BankOption,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the complete messages of references, as remembered now."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        result = memory.fetch(bank, refs)

    def show(console: Console) -> None:
        for message in result.messages:
            show_span(console, message, zone)
        for item in result.missing:
            reason = "its message was erased" if item.reason == "erased" else "no message has this reference"
            console.print(printable(f"{item.ref}: {reason}"), style="yellow")

    state.answer(result, show)
