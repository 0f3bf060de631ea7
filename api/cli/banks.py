"""`banks`: list the banks."""

from typing import TYPE_CHECKING

import typer
from rich.console import Console

from .context import JsonOption, TimezoneOption, state_of
from .output import jsonable, printable, table

if TYPE_CHECKING:
    from foxing.memory import BankInfo, Memory


def banks(context: typer.Context, timezone: TimezoneOption = None, as_json: JsonOption = False) -> None:
    """List the banks with their messages, pages and sizes."""
    state = state_of(context)
    asker = state.timezone(timezone)
    with state.memory() as memory:
        infos = all_banks(memory)

    def show(console: Console) -> None:
        rows = table(
            *("bank", "messages", "open", "threads", "pages", "tiers", "bytes", "from", "to"),
            right=("messages", "open", "threads", "pages", "bytes"),
        )
        for bank in infos:
            tiers = ", ".join(f"{stats.pages} {tier}" for tier, stats in bank.tiers.items() if stats.pages)
            rows.add_row(
                *(printable(bank.id), f"{bank.messages:,}", f"{bank.open_messages:,}", f"{bank.threads:,}"),
                *(f"{bank.pages:,}", tiers, f"{bank.bytes.total:,}"),
                *(asker.show(bank.first_at), asker.show(bank.last_at)),
            )
        console.print(rows)

    state.answer({"banks": [jsonable(bank) for bank in infos], "next_cursor": None}, show)


def all_banks(memory: "Memory") -> "list[BankInfo]":
    """Every bank of the database."""
    result = memory.banks(limit=500)
    infos = list(result.banks)
    while result.next_cursor is not None:
        result = memory.banks(limit=500, cursor=result.next_cursor)
        infos += result.banks
    return infos
