"""`quarantine`: list, release and erase quarantined messages."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from .context import BankOption, JsonOption, TimezoneOption, all_quarantine, state_of
from .output import jsonable, printable, table

quarantine_commands = typer.Typer(
    name="quarantine", help="List, release and erase the quarantined messages of a bank.", no_args_is_help=True
)
IdArgument = Annotated[
    str, typer.Argument(help="Id of the message, from `foxing quarantine list`.", show_default=False)
]
TEXT_CHARS = 80


@quarantine_commands.command("list")
def list_messages(
    context: typer.Context, bank: BankOption, timezone: TimezoneOption = None, as_json: JsonOption = False
) -> None:
    """List the quarantined messages of a bank."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        messages = all_quarantine(memory, bank)

    def show(console: Console) -> None:
        rows = [
            (
                *(message.message_id, zone.show(message.arrived_at), message.name or message.role, message.trust),
                *(message.rule, " ".join(message.text[:TEXT_CHARS].split())),
            )
            for message in messages
        ]
        console.print(table("message, arrived, speaker, class, rule, text", rows))

    state.answer({"messages": [jsonable(message) for message in messages], "next_cursor": None}, show)


@quarantine_commands.command("release")
def release(context: typer.Context, message: IdArgument, bank: BankOption, as_json: JsonOption = False) -> None:
    """Store a quarantined message with its class, its mark and its times."""
    state = state_of(context)
    with state.memory() as memory:
        result = memory.operations.quarantine.release(bank, message)
    state.answer(result, lambda console: console.print(printable(f"The message {message} is stored.")))


@quarantine_commands.command("erase")
def erase(
    context: typer.Context,
    message: IdArgument,
    bank: BankOption,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Permanently erase a quarantined message."""
    state = state_of(context)
    if not yes:
        what = f"the quarantined message '{message}' of bank '{bank}'"
        if state.as_json or not sys.stdin.isatty():
            raise typer.BadParameter(f"this permanently erases {what}; confirm with --yes", param_hint="--yes")
        typer.confirm(f"Permanently erase {printable(what)}?", abort=True)
    with state.memory() as memory:
        report = memory.operations.quarantine.erase(bank, message)
    state.answer(report, lambda console: console.print(printable(f"The message {message} is erased.")))
