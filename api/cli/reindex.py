"""`reindex`: embed messages with the current embedder, and rebuild the word index."""

from typing import Annotated

import typer
from rich.console import Console

from foxing.memory import EmbeddingReport

from .context import JsonOption, all_banks, state_of
from .output import printable, table


def reindex(
    context: typer.Context,
    bank: Annotated[
        str | None, typer.Option("--bank", "-b", help="Reindex only this bank.", show_default="all banks")
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Also rebuild the word index of all messages.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Embed all messages that the current embedder has not embedded, as they are remembered now.

    Run it after changing the embedder, and with --words after changing the search index. An interrupted run resumes
    when started again. Exits with status 1 if messages were skipped because they cannot be read at the moment.
    """
    state = state_of(context)
    reports = []
    with state.memory() as memory:
        for name in [bank] if bank is not None else [info.id for info in all_banks(memory)]:
            with state.progress(f"indexing {printable(name)}") as progress:
                reports.append(memory.operations.reindex(name, words=words, progress=progress))
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
