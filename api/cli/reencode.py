"""`reencode`: from tokens of another codec or other weights to those of the present ones."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .context import JsonOption, printable, state_of, table

if TYPE_CHECKING:
    from foxing.memory import Memory, ReencodingReport


def reencode(
    context: typer.Context,
    bank: Annotated[str | None, typer.Option("--bank", "-b", help="One bank alone.", show_default="all banks")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many pages and bytes it would be.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write pages that another codec or other weights wrote anew with the present ones.

    It can be stopped and run again at any time. Ends with 1 when pages were left as they are: in the hands of another
    process, or unreadable.
    """
    state = state_of(context)
    reports = []
    with state.memory() as memory:
        for name in [bank] if bank is not None else _every_bank(memory):
            with state.progress(f"reencoding {printable(name)}") as progress:
                reports.append(memory.reencode(name, dry_run=dry_run, progress=progress))
    state.answer(
        {"banks": [report.model_dump(mode="json") for report in reports]}, lambda console: _show(console, reports)
    )
    if not dry_run and any(report.busy or report.unreadable for report in reports):
        raise typer.Exit(1)


def _every_bank(memory: "Memory") -> list[str]:
    names: list[str] = []
    cursor: str | None = None
    while True:
        part = memory.banks(limit=500, cursor=cursor)
        names += [bank.id for bank in part.banks]
        cursor = part.next_cursor
        if cursor is None:
            return names


def _show(console: Console, reports: "list[ReencodingReport]") -> None:
    numbers = ("pages", "current", "busy", "unreadable", "bytes", "confidence")
    rows = table("bank", *numbers, right=numbers)
    for report in reports:
        before, after = report.confidence_before, report.confidence_after
        sure = "" if before is None else f"{before:.2%}"
        rows.add_row(
            printable(report.bank),
            *(f"{count:,}" for count in (len(report.reencoded), report.current, len(report.busy))),
            f"{len(report.unreadable):,}",
            f"{report.bytes_before:,} → {report.bytes_after:,}",
            sure if after is None else f"{sure} → {after:.2%}",
        )
    if reports:
        console.print(rows)
    for report in reports:
        for page in report.unreadable:
            console.print(
                f"page {page.page_id} is left as it is: {printable(page.reason)}", soft_wrap=True, markup=False
            )
    pages = sum(len(report.reencoded) for report in reports)
    would = "would be reencoded" if any(report.dry_run for report in reports) else "reencoded"
    size = f"{sum(r.bytes_before for r in reports):,} → {sum(r.bytes_after for r in reports):,}"
    console.print(f"{pages:,} pages {would}; bytes of tokens {size}", soft_wrap=True)
