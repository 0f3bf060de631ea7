"""`savings`: show what folding saved."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from foxing.memory import SavingsBy

from .context import BankOption, JsonOption, TimezoneOption, state_of
from .output import table

_MILLION = 1_000_000


def savings(
    context: typer.Context,
    bank: BankOption,
    by: Annotated[SavingsBy, typer.Option(help="What to sum by.")] = "day",
    since: Annotated[str | None, typer.Option(help="First day or time to count.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day, or time from which calls do not count.")] = None,
    price: Annotated[
        float | None,
        typer.Option(min=0, help="Price of a million uncached tokens, to show amounts of money in place of tokens."),
    ] = None,
    timezone: TimezoneOption = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table in CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what models billed, and what they would have billed without folding. Calls that cost more count too."""
    from datetime import UTC, datetime

    from foxing.memory.text.times.window import parse_since, parse_until

    state = state_of(context)
    zone = state.timezone(timezone)
    now = datetime.now(UTC)
    with state.memory() as memory:
        totals = memory.savings(
            bank,
            by=by,
            since=None if since is None else parse_since(since, now, zone.name),
            until=None if until is None else parse_until(until, now, zone.name),
        )
    if as_csv:
        sys.stdout.write(totals.csv())
        return

    def amount(tokens: float) -> str:
        return f"{tokens:,.0f}" if price is None else f"{tokens * price / _MILLION:,.2f}"

    def show(console: Console) -> None:
        sums = [*((row.key, row) for row in totals.rows), ("all", totals.total)]
        rows = [
            (
                *(key, total.calls, total.folded_calls, total.retries),
                *(amount(total.billed), amount(total.original), amount(total.saved)),
                f"{total.saved / total.original:.0%}" if total.original else "",
            )
            for key, total in sums
        ]
        console.print(table(f"{by}, >calls, >folded, >retries, >billed, >without folding, >saved, >share", rows))
        estimated = totals.total.calls - totals.total.counted_calls
        if totals.left_out:
            console.print(f"{totals.left_out} older rows are left out")
        if estimated:
            console.print(f"the original of {estimated} calls is estimated, the others are counted")

    state.answer(totals, show)
