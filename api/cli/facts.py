"""`facts`: list what holds, and pin, correct or dismiss it."""

from typing import Annotated

import typer
from rich.console import Console

from foxing.memory.values.facts import FACT_TOKENS, MAX_FACT_TOKENS, Fact

from .context import BankOption, JsonOption, TimezoneOption, state_of
from .output import printable, table

fact_commands = typer.Typer(
    name="facts", help="List the standing facts of a bank, and pin, correct or dismiss them.", no_args_is_help=True
)
FactArgument = Annotated[str, typer.Argument(help="Id of the fact, from `foxing facts list`.", show_default=False)]


@fact_commands.command("list")
def list_facts(
    context: typer.Context,
    bank: BankOption,
    at: Annotated[
        str | None, typer.Option(help="List what held at this time, such as 2026-03-02 or “3 weeks ago”.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Of whom: a name, a role, or a word in the facts.")] = None,
    max_tokens: Annotated[
        int, typer.Option(min=1, max=MAX_FACT_TOKENS, help="Maximum tokens of the facts as text.")
    ] = FACT_TOKENS,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what holds, pinned facts first, then the newest."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        result = memory.facts(bank, at=at, subject=subject, max_tokens=max_tokens, timezone=timezone)

    def show(console: Console) -> None:
        rows = [
            (
                *(fact.fact_id, zone.show(fact.said_at), fact.kind + (" (pinned)" if fact.pinned else "")),
                *(fact.subject, " ".join(fact.text.split())),
            )
            for fact in result.facts
        ]
        console.print(table("fact, said, kind, subject, text", rows))
        if result.left_out or result.faded:
            console.print(printable(f"{result.left_out} more did not fit; {result.faded} have faded"), style="yellow")

    state.answer(result, show)


@fact_commands.command("pin")
def pin(
    context: typer.Context,
    fact: FactArgument,
    bank: BankOption,
    unpin: Annotated[bool, typer.Option("--unpin", help="Unpin it instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Pin a fact, so that it is listed first and no message ends it."""
    state = state_of(context)
    with state.memory() as memory:
        result = memory.pin_fact(bank, fact, pinned=not unpin)
    state.answer(result, lambda console: _show(console, result))


@fact_commands.command("correct")
def correct(
    context: typer.Context,
    fact: FactArgument,
    text: Annotated[str, typer.Argument(help="What holds instead.", show_default=False)],
    bank: BankOption,
    as_json: JsonOption = False,
) -> None:
    """Store a statement of the user in place of a fact."""
    state = state_of(context)
    with state.memory() as memory:
        result = memory.correct_fact(bank, fact, text)
    state.answer(result, lambda console: _show(console, result))


@fact_commands.command("dismiss")
def dismiss(context: typer.Context, fact: FactArgument, bank: BankOption, as_json: JsonOption = False) -> None:
    """Dismiss a fact: from now on it does not hold. Its message stays."""
    state = state_of(context)
    with state.memory() as memory:
        result = memory.dismiss_fact(bank, fact)
    state.answer(result, lambda console: console.print(printable(f"The fact {result.fact_id} is dismissed.")))


def _show(console: Console, fact: Fact) -> None:
    pinned = " (pinned)" if fact.pinned else ""
    console.print(printable(f"{fact.fact_id}{pinned}: {' '.join(fact.text.split())}"))
