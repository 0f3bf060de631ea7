"""`audit`: list, verify and export the audit log."""

from typing import Annotated

import typer
from rich.console import Console

from .context import JsonOption, TimezoneOption, state_of
from .output import jsonable, table

audit_commands = typer.Typer(name="audit", help="List, verify and export the audit log.", no_args_is_help=True)
BankOption = Annotated[str | None, typer.Option(help="Name of a bank.", show_default="all banks")]
ActionOption = Annotated[str | None, typer.Option(help="Action, such as store.", show_default="all actions")]
KeyOption = Annotated[str | None, typer.Option(help="Id of the key of the caller.", show_default="all callers")]


@audit_commands.command("list")
def list_events(
    context: typer.Context,
    bank: BankOption = None,
    action: ActionOption = None,
    key: KeyOption = None,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="List the newest events first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of events.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="The next_cursor of the previous list.", show_default=False)
    ] = None,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """List events in the order of the chain, or newest first."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        listed = memory.operations.audit.list(
            limit=limit, cursor=cursor, bank=bank, action=action, key_id=key, newest_first=newest_first
        )

    def show(console: Console) -> None:
        rows = [
            (str(e.number), zone.show(e.at), e.key_id or "", e.door, e.action, e.bank or "", e.outcome)
            for e in listed.events
        ]
        console.print(table("number, at, key, door, action, bank, outcome", rows))

    state.answer(jsonable(listed), show)


@audit_commands.command("verify")
def verify(
    context: typer.Context,
    number: Annotated[int | None, typer.Option(help="Number of an event noted earlier.", show_default=False)] = None,
    hash: Annotated[str | None, typer.Option(help="Hash of that event.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify the chain. Exits with status 1 if it breaks, and shows where."""
    if (number is None) != (hash is None):
        raise typer.BadParameter("give both --number and --hash, or neither")
    state = state_of(context)
    with state.memory() as memory:
        report = memory.operations.audit.verify(number=number, hash=hash)
    summary = f"{report.events} events verified, {report.purged} purged; the last is {report.number}, {report.hash}"
    broken = f"the chain breaks at event {report.broken_at}: {report.reason}"
    state.answer(jsonable(report), lambda console: console.print(summary if report.intact else broken))
    if not report.intact:
        raise typer.Exit(1)


@audit_commands.command("export")
def export(context: typer.Context) -> None:
    """Write all events to standard output as JSON Lines."""
    state = state_of(context)
    cursor = None
    with state.memory() as memory:
        while True:
            part = memory.operations.audit.list(limit=500, cursor=cursor)
            for event in part.events:
                typer.echo(event.model_dump_json())
            cursor = part.next_cursor
            if cursor is None:
                return
