"""`hold`: set, release and list legal holds."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .context import JsonOption, TimezoneOption, state_of
from .output import jsonable, printable, table

if TYPE_CHECKING:
    from foxing.memory import Hold

hold_commands = typer.Typer(
    name="hold", help="Set, release and list legal holds, which stop erasing and ageing.", no_args_is_help=True
)


@hold_commands.command("set")
def set_hold(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why it is held, such as the number of a case.", show_default=False)],
    bank: Annotated[str | None, typer.Option("--bank", "-b", help="Bank to hold.", show_default=False)] = None,
    person: Annotated[
        str | None, typer.Option(help="Speaker whose messages to hold in all banks.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Set a legal hold on a bank, or on what a person said: nothing of it is erased, and its banks do not age."""
    from foxing.memory import HoldRequest

    state = state_of(context)
    request = HoldRequest.from_fields({"bank": bank, "person": person, "reason": reason})
    with state.memory() as memory:
        hold = memory.operations.holds.set(request)
    state.answer(jsonable(hold), lambda console: console.print(printable(f"The hold {hold.id} keeps {_what(hold)}.")))


@hold_commands.command("release")
def release(
    context: typer.Context,
    hold: Annotated[str, typer.Argument(help="Id of the hold, from `foxing hold list`.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Release a legal hold. What it has suspended is due at once."""
    state = state_of(context)
    with state.memory() as memory:
        released = memory.operations.holds.release(hold)
    state.answer(
        jsonable(released),
        lambda console: console.print(printable(f"The hold {released.id} on {_what(released)} is released.")),
    )


@hold_commands.command("list")
def list_holds(context: typer.Context, timezone: TimezoneOption = None, as_json: JsonOption = False) -> None:
    """List the legal holds."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        answer = memory.operations.holds.list()

    def show(console: Console) -> None:
        rows = [(hold.id, _what(hold), hold.reason, zone.show(hold.since), hold.key_id or "") for hold in answer.holds]
        console.print(table("id, held, reason, since, key", rows))

    state.answer(jsonable(answer), show)


def _what(hold: "Hold") -> str:
    return f"the bank {hold.bank}" if hold.person is None else f"what {hold.person} said"
