"""`reindex`: embed the messages that the present embedder has not embedded, and index words anew."""

from typing import Annotated

import typer
from rich.console import Console

from foxing.memory.values.reports import EmbeddingReport

from .context import JsonOption, all_banks, state_of
from .output import printable, table


def reindex(
    context: typer.Context,
    bank: Annotated[str | None, typer.Option("--bank", "-b", help="Only this bank.", show_default="all banks")] = None,
    words: Annotated[bool, typer.Option("--words", help="Also index the words of all messages anew.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Embed the messages that the present embedder has not embedded, as they are remembered now.

    Run it after the embedder has changed, and with --words after the search index has. An interrupted run resumes when
    started again. Exits with status 1 if messages were left because they cannot be read now.
    """
    state = state_of(context)
    reports = []
    with state.memory() as memory:
        for name in [bank] if bank is not None else [info.id for info in all_banks(memory)]:
            with state.progress(f"indexing {printable(name)}") as progress:
                reports.append(memory.reindex(name, words=words, progress=progress))
    state.answer(
        {"banks": [report.model_dump(mode="json") for report in reports]}, lambda console: _show(console, reports)
    )
    if any(report.skipped for report in reports):
        raise typer.Exit(1)


def _show(console: Console, reports: list[EmbeddingReport]) -> None:
    rows = [(report.bank, report.embedder, report.embedded, report.indexed, report.skipped) for report in reports]
    if rows:
        console.print(table("bank, embedder, >embedded, >indexed, >skipped", rows))
    console.print(f"{sum(report.embedded for report in reports):,} messages embedded")
