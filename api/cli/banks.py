"""`banks`: list the banks."""

import typer
from rich.console import Console

from .context import JsonOption, TimezoneOption, all_banks, state_of
from .output import jsonable, table


def banks(context: typer.Context, timezone: TimezoneOption = None, as_json: JsonOption = False) -> None:
    """List the banks with their messages, pages and sizes."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        infos = all_banks(memory)

    def show(console: Console) -> None:
        rows = [
            (
                *(bank.id, bank.messages, bank.open_messages, bank.threads, bank.pages),
                ", ".join(f"{stats.pages} {tier}" for tier, stats in bank.tiers.items() if stats.pages),
                *(bank.bytes.total, zone.show(bank.first_at), zone.show(bank.last_at)),
            )
            for bank in infos
        ]
        columns = "bank, >messages, >open, >threads, >pages, tiers, >bytes, from, to"
        console.print(table(columns, rows))

    state.answer({"banks": [jsonable(bank) for bank in infos], "next_cursor": None}, show)
