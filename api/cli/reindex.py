"""`reindex`: embed the messages that the present embedder has not embedded."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .banks import all_banks
from .context import JsonOption, state_of
from .output import printable, table

if TYPE_CHECKING:
    from foxing.memory import EmbeddingReport


def reindex(
    context: typer.Context,
    bank: Annotated[str | None, typer.Option("--bank", "-b", help="Only this bank.", show_default="all banks")] = None,
    as_json: JsonOption = False,
) -> None:
    """Embed the messages that the present embedder has not embedded, as they are remembered now.

    Run it after the embedder has changed. An interrupted run resumes when started again. Exits with status 1 if
    messages were left because they cannot be read now.
    """
    state = state_of(context)
    reports = []
    with state.memory() as memory:
        for name in [bank] if bank is not None else [info.id for info in all_banks(memory)]:
            with state.progress(f"embedding {printable(name)}") as progress:
                reports.append(memory.reindex(name, progress=progress))
    state.answer(
        {"banks": [report.model_dump(mode="json") for report in reports]}, lambda console: _show(console, reports)
    )
    if any(report.left for report in reports):
        raise typer.Exit(1)


def _show(console: Console, reports: "list[EmbeddingReport]") -> None:
    rows = table("bank", "embedder", "embedded", "left", right=("embedded", "left"))
    for report in reports:
        rows.add_row(printable(report.bank), report.embedder, f"{report.embedded:,}", f"{report.left:,}")
    if reports:
        console.print(rows)
    console.print(f"{sum(report.embedded for report in reports):,} messages embedded")
